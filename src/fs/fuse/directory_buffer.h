// DirectoryBuffer: entries of a directory packed as the kernel wants them, and which inodes it
// will then have looked up.
//
// Ownership: the operation that fills it; `request` outlives it or is not replied to before.
// Threads:   the operation's worker.
// Limits:    `size_bytes`, which the kernel chose; an entry that does not fit is left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fs/filesystem.h"
#include "fs/fuse/fuse_api.h"

namespace sftpfs::fuse {

class DirectoryBuffer final : public fs::DirectorySink {
 public:
  // `plus`: each entry comes with its attributes, which counts as a lookup.
  DirectoryBuffer(fuse_req_t request, std::size_t size_bytes, bool plus)
      : request_(request), buffer_(size_bytes), plus_(plus) {}

  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override;

  const char* data() const { return buffer_.data(); }
  std::size_t size() const { return used_; }
  // One for each lookup that delivering the buffer counts.
  const std::vector<std::uint64_t>& looked_up() const { return looked_up_; }

 private:
  fuse_req_t request_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::vector<std::uint64_t> looked_up_;
  bool plus_;
};

}  // namespace sftpfs::fuse
