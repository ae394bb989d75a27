// What the parts of ModelServer share: bounds, and how a node is described on the wire.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "sftp/wire.h"
#include "sim/model_tree.h"

namespace sftpfs::sim {

inline constexpr std::size_t kStringMax = 1 << 20;
inline constexpr std::size_t kHandleBytes = 4;
inline constexpr std::uint32_t kUser = 1000;

inline sftp::Attrs attrs_of(const ModelNode& node) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrSize | sftp::kAttrUidGid | sftp::kAttrPermissions | sftp::kAttrTimes;
  attrs.size = node.is_directory() ? 4096 : node.content.size();
  attrs.uid = attrs.gid = kUser;
  attrs.permissions = node.mode;
  attrs.atime = node.atime;
  attrs.mtime = node.mtime;
  return attrs;
}

inline std::uint32_t u32_at(std::string_view text) {
  sftp::Reader reader(as_byte_span(text));
  return reader.u32();
}

}  // namespace sftpfs::sim
