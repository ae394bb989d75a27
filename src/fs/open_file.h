// OpenFile: one open(2) of a file; HandleTable: what the kernel's handle numbers mean.
//
// Ownership: the table and the operations under way share an OpenFile. The last of them closes the
//            server's handle: a READ must not find that its number means another file already.
// Threads:   what is set before the first use from any; `client`, `handle`, `lost` and
//            `write_error` only on the home loop. May be destroyed on any thread: what is left of
//            it goes home.
// Limits:    a handle of the server is valid in the connection that opened it (`client`); FileIo
//            gives the file a new one after each loss, and a first one to a file that was opened
//            without asking when more is wanted than the cache holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/thread_annotations.h"
#include "fs/inode.h"
#include "fs/readahead.h"
#include "fs/worker.h"
#include "sftp/types.h"

namespace sftpfs::fs {

class FileIo;

struct OpenFile {
  OpenFile(SessionSlot& slot, ClientRef opener, sftp::Handle opened, std::uint32_t flags)
      : home(slot.loop()),
        client(std::move(opener)),
        handle(std::move(opened)),
        reopen_flags(flags & ~(sftp::kOpenCreate | sftp::kOpenExclusive | sftp::kOpenTruncate)) {}
  // Opened without asking: no handle yet.
  OpenFile(SessionSlot& slot, std::uint32_t flags) : home(slot.loop()), reopen_flags(flags) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile();

  runtime::Loop& home;
  InodeRef inode;
  std::shared_ptr<FileIo> io;
  ClientRef client;
  sftp::Handle handle;
  std::string path;                  // when it was opened, for the log
  const std::uint32_t reopen_flags;  // kOpen*, without what creates or empties
  // Why it can never be used again: it was removed or replaced while there was no connection.
  std::optional<Error> lost;
  std::atomic<bool> stale{false};  // the same, for any thread
  bool readable = false;
  bool writable = false;
  bool append = false;
  // The file was made by the open that this descriptor comes from, and is not closed yet.
  std::atomic<bool> made_here{false};
  // The application has closed it; what is left goes on behind its back.
  std::atomic<bool> released{false};
  // Its attributes are as we say from when it was made ahead until all is on the server.
  std::unique_ptr<ChangeScope> ours;

  Readahead readahead;
  // The first error of a write that was already acknowledged to the application: reported once,
  // by the next write, fsync or close of this descriptor.
  std::optional<Error> write_error;
  std::uint64_t reported_up_to = 0;  // the number of the last extent that a report has covered
};

using OpenFileRef = std::shared_ptr<OpenFile>;
using OpenFileWeak = std::weak_ptr<OpenFile>;

template <class T>
class HandleTable {
 public:
  std::uint64_t add(std::shared_ptr<T> object) {
    const MutexLock lock(mutex_);
    const std::uint64_t id = next_++;
    objects_.emplace(id, std::move(object));
    return id;
  }
  std::shared_ptr<T> find(std::uint64_t id) const {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(id);
    return found == objects_.end() ? nullptr : found->second;
  }
  std::shared_ptr<T> remove(std::uint64_t id) {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return nullptr;
    std::shared_ptr<T> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }
  std::vector<std::shared_ptr<T>> all() const {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<T>> objects;
    for (const auto& [id, object] : objects_) objects.push_back(object);
    return objects;
  }
  std::vector<std::shared_ptr<T>> take_all() {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<T>> objects;
    for (auto& [id, object] : objects_) objects.push_back(std::move(object));
    objects_.clear();
    return objects;
  }
  std::size_t size() const {
    const MutexLock lock(mutex_);
    return objects_.size();
  }

 private:
  mutable Mutex mutex_;
  std::uint64_t next_ SFTPFS_GUARDED_BY(mutex_) = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<T>> objects_ SFTPFS_GUARDED_BY(mutex_);
};

}  // namespace sftpfs::fs
