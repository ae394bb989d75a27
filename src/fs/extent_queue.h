// ExtentQueue: the bytes of one inode that were accepted from applications and are not yet known
// to be on the server, in the order in which they were accepted.
//
// An extent leaves the queue when it and all before it are settled. So a lost connection leaves
// behind everything that has to be written again, and in the right order: what overlaps something
// older that is written again has to be written again, too.
//
//   queued -> sent (acknowledged or refused) -> settled -> gone
//      ^                 | connection lost
//      +-----------------+
//
// Ownership: FileIo. Extents keep their descriptor open.
// Threads:   the home loop of the inode.
// Limits:    bounded by the worker's dirty_bytes().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/bytes.h"
#include "fs/open_file.h"

namespace sftpfs::fs {

struct Extent {
  std::uint64_t number = 0;
  OpenFileRef file;
  std::uint64_t offset = 0;
  SharedBytes data;
  std::size_t accepted_bytes = 0;  // data's size at first; recovery may find a part written
  std::size_t pieces = 0;          // how many accepted writes it holds
  bool sent = false;               // else it is held back
  bool refused = false;            // by the server, for good
  bool settled = false;

  std::uint64_t end() const { return offset + data.size(); }
  // The server puts it at the end of the file, wherever that is.
  bool appends() const { return (file->reopen_flags & sftp::kOpenAppend) != 0; }
};

using ExtentRef = std::shared_ptr<Extent>;

class ExtentQueue {
 public:
  const ExtentRef& push(Extent extent);
  // Removes what is settled at the front; null when nothing is.
  ExtentRef pop_settled();

  bool empty() const { return extents_.empty(); }
  // Whether every extent up to this number has left.
  bool settled_up_to(std::uint64_t number) const {
    return extents_.empty() || extents_.front()->number > number;
  }
  std::uint64_t last_number() const { return next_number_ - 1; }
  bool overlaps(std::uint64_t from, std::uint64_t to) const;
  const std::deque<ExtentRef>& all() const { return extents_; }

 private:
  std::deque<ExtentRef> extents_;
  std::uint64_t next_number_ = 1;
};

}  // namespace sftpfs::fs
