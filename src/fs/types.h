// What file system operations take and yield: no FUSE types, no SFTP types.
//
// Threads: plain values; an OperationContext belongs to one operation.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "cache/block_cache.h"
#include "runtime/cancel.h"

namespace sftpfs::fs {

inline constexpr std::uint64_t kRootInode = 1;

struct FileAttr {
  std::uint64_t ino = 0;
  std::uint32_t mode = 0;
  std::uint32_t nlink = 1;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  // of 512 bytes
  WallTime atime;
  WallTime mtime;
  WallTime ctime;
};

struct AttrReply {
  FileAttr attr;
  double timeout_s = 0;
};

// ino 0: the name does not exist, and may be remembered as such for entry_timeout_s.
struct EntryReply {
  std::uint64_t ino = 0;
  FileAttr attr;
  double attr_timeout_s = 0;
  double entry_timeout_s = 0;
};

struct OpenReply {
  std::uint64_t handle = 0;
  bool keep_cache = false;
  bool direct_io = false;
};

struct CreateReply {
  EntryReply entry;
  OpenReply open;
};

// Bytes of a read: pieces that live in pinned cache slots or in buffers of the operation.
struct ReadReply {
  std::vector<iovec> pieces;
  std::vector<cache::Pin> pins;
  std::vector<std::unique_ptr<std::byte[]>> buffers;
  std::size_t size_bytes = 0;

  void add(ByteSpan bytes) {
    if (bytes.empty()) return;
    pieces.push_back(iovec{const_cast<std::byte*>(bytes.data()), bytes.size()});
    size_bytes += bytes.size();
  }
};

// Which members of a setattr are meant.
struct SetAttr {
  bool has_mode = false;
  bool has_uid = false;
  bool has_gid = false;
  bool has_size = false;
  bool has_atime = false;
  bool has_mtime = false;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  WallTime atime;
  WallTime mtime;
};

struct DirectoryItem {
  std::string name;
  std::uint64_t next_offset = 0;  // where to go on after this entry
  std::uint32_t type = 0;         // S_IFMT bits
  std::uint64_t ino = 0;          // 0: not known
};

struct StatFsReply {
  std::uint64_t block_size = 0;
  std::uint64_t fragment_size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
  std::uint64_t name_max = 255;
};

// Who asks, and how to make him stop waiting.
struct OperationContext {
  OperationContext() : cancel(runtime::Cancel::create()) {}
  std::shared_ptr<runtime::Cancel> cancel;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t pid = 0;
};

}  // namespace sftpfs::fs
