// DirectoryStream: one opendir(3): a growing snapshot of a directory, read in a pipelined window.
//
// Entries keep their position for the life of the stream, so telldir and seekdir are exact; a
// rewind to 0 reads the directory anew, as POSIX wants it. When the connection is lost the server
// is asked from the beginning, and only names that the stream has not shown are added to it.
//
// Ownership: the handle table and operations under way.
// Threads:   home() only; the constant members from any, but for complete().
// Limits:    the snapshot grows with the directory (about 100 bytes a name, and the name) up to
//            Options::open_directory_bytes_max; what is longer is EOVERFLOW.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "fs/inode.h"
#include "fs/shared.h"
#include "fs/worker.h"
#include "runtime/wait_list.h"
#include "sftp/client.h"

namespace sftpfs::fs {

struct DirectoryBatch {
  std::vector<sftp::DirEntry> entries;
  AttrToken token;   // from before any of them was asked for
  bool end = false;  // there is nothing behind these
};

class DirectoryStream : public std::enable_shared_from_this<DirectoryStream> {
 public:
  DirectoryStream(Shared& shared, SessionSlot& slot, InodeRef inode);
  ~DirectoryStream();

  const InodeRef& inode() const { return inode_; }
  runtime::Loop& home() const { return slot_.loop(); }

  // Before anything was asked for: the stream shows this; rewound, it asks the server.
  void show(WholeListing listing);

  // From before anything of it was asked for.
  const AttrToken& begun() const { return begun_; }

  // Opens the directory on the server, if that has not been done; the errors of opendir(3).
  runtime::Task<Status> open(runtime::Cancel* cancel);
  // Opens it and reads up to `names_max` names that nobody has asked for yet.
  runtime::Task<Status> read_ahead(std::size_t names_max);
  // Some entries from position `first` on; waits until there is at least one. `rewind`: the
  // directory is to be shown as it is now.
  runtime::Task<Result<DirectoryBatch>> batch(std::size_t first, bool rewind,
                                              runtime::Cancel* cancel);
  // Nobody has asked for it; before anything is read.
  void is_guess() { origin_ = Origin::kGuessed; }
  // Everything was read.
  bool complete() const { return complete_; }

 private:
  void close();
  runtime::Task<Status> open_locked(runtime::Cancel* cancel);
  runtime::Task<Status> load_until(std::size_t count, runtime::Cancel* cancel);
  void restart();
  void read_on();
  Status take(std::vector<sftp::DirEntry> names);
  // From before the entry at this position was asked for.
  const AttrToken& token_of(std::size_t position) const;

  Shared& shared_;
  SessionSlot& slot_;
  const InodeRef inode_;

  runtime::AsyncMutex reading_;  // one reader of the stream at a time
  ClientRef client_;
  sftp::Handle handle_;
  std::deque<sftp::Call<std::vector<sftp::DirEntry>>> window_;
  std::size_t window_size_ = 0;
  AttrToken token_;  // from before those in window_ were asked for
  AttrToken begun_;
  std::vector<sftp::DirEntry> entries_;
  struct Asked {
    std::size_t first;  // of entries_, up to those of the next
    AttrToken token;
  };
  std::vector<Asked> asked_;
  std::size_t entries_bytes_ = 0;
  std::unordered_set<std::string> seen_;  // names of entries_, once a connection was lost
  Origin origin_ = Origin::kAsked;
  bool ending_ = false;  // the server has no more; what is asked for is still awaited
  bool complete_ = false;
  bool delivered_ = false;
};

}  // namespace sftpfs::fs
