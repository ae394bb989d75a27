// Operation: one request of the kernel from its arrival to its single reply.
//
// Ownership: the coroutine that serves the request; the worker's channel lists it while it lives.
// Threads:   made, used and destroyed on the worker that read the request; only interrupt() comes
//            from whichever worker reads the INTERRUPT.
// Limits:    exactly one reply; an operation that dies without one answers EIO. A reply that the
//            kernel does not take (the connection was aborted meanwhile) undoes what it counted:
//            nobody will ever forget its lookups or release its handle.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "base/clock.h"
#include "fs/filesystem.h"
#include "fs/fuse/channel.h"
#include "fs/fuse/fuse_api.h"
#include "runtime/loop.h"

namespace sftpfs::fuse {

class DirectoryBuffer;

class Operation {
 public:
  Operation(fuse_req_t request, Channel& channel);
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  fs::Filesystem& filesystem() const;
  fs::OperationContext& context() { return context_; }

  void reply_error(const Error& error, fs::Attempt attempt);
  void reply_ok();
  void reply_status(const Status& status, fs::Attempt attempt);
  void reply_entry(const Result<fs::EntryReply>& entry, fs::Attempt attempt);
  void reply_attr(const Result<fs::AttrReply>& attr, fs::Attempt attempt);
  void reply_open(const Result<fs::OpenReply>& open, fs::Attempt attempt);
  void reply_opendir(const Result<fs::OpenReply>& open);
  void reply_create(const Result<fs::CreateReply>& create, fs::Attempt attempt);
  void reply_read(const Result<fs::ReadReply>& read);
  void reply_written(const Result<std::size_t>& size);
  void reply_link(const Result<std::string>& target);
  void reply_statfs(const Result<fs::StatFsReply>& space);
  void reply_lseek(const Result<std::uint64_t>& offset);
  void reply_directory(const DirectoryBuffer& entries);
  fuse_req_t request() const { return request_; }
  const RequestInfo& info() const { return info_; }

 private:
  // Told once, on any worker, while the request lives; caller_signals.h says what it means.
  static void on_interrupt(fuse_req_t request, void* operation);
  // Looks again from time to time; the caller has been asked to end for so long.
  void watch_signals(Duration asked_to_end_for);
  // Before each reply: from then on the request is libfuse's, and so no interrupt may come.
  fuse_req_t finish();
  void forget_lookup(std::uint64_t inode);

  fuse_req_t request_;
  Channel& channel_;
  const RequestInfo info_;
  fs::OperationContext context_;
  runtime::Timer deadline_;  // of soft mounts
  runtime::Timer signals_;   // looks for more of them
  std::list<Operation*>::iterator position_;
};

using OperationRef = std::unique_ptr<Operation>;

}  // namespace sftpfs::fuse
