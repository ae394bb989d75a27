// Channel: one worker's end of the FUSE device. Reads requests when its loop is told that there
// are some, and hands them to libfuse, which calls the operations of dispatch.cc.
//
// All workers share the device's descriptor; EPOLLEXCLUSIVE wakes one of them for each request.
//
// Ownership: Mount owns channels.
// Threads:   everything on the worker's loop, but for the constructor and destructor.
// Limits:    kRequestsPerTurn requests before the loop looks after its sessions again.
#pragma once

#include <functional>
#include <list>
#include <vector>

#include "fs/filesystem.h"
#include "fs/fuse/fuse_api.h"
#include "fs/fuse/request_info.h"
#include "fs/worker.h"
#include "runtime/loop.h"
#include "runtime/wait_list.h"

namespace sftpfs::fuse {

class Operation;

class Channel final : public runtime::IoHandler {
 public:
  // `on_progress` is called after requests were processed, `on_gone` once when the kernel has
  // ended the connection; both on the worker's loop.
  Channel(fs::Worker& worker, fs::Filesystem& filesystem, fuse_session* session,
          std::function<void()> on_progress, std::function<void()> on_gone);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // The channel that is processing a request on this thread.
  static Channel* current();

  runtime::Loop& loop() { return worker_.loop(); }
  fs::Filesystem& filesystem() const { return filesystem_; }

  Status open();
  // No more requests are read; those under way go on.
  void close();
  // Ends the waits of all operations under way, and resumes when the last has replied and every
  // handle that was discarded is released.
  runtime::Task<void> abandon_operations();

  // The request being processed, and all that are under way; on the worker's loop.
  const RequestInfo& current_request() const { return current_request_; }
  std::vector<RequestInfo> requests() const;

  std::list<Operation*>::iterator enter(Operation& operation);
  void leave(std::list<Operation*>::iterator position);
  // Whether there is one at this place; it may have become another one meanwhile.
  bool is_under_way(const Operation& operation) const;
  // Release what an open yielded but the kernel did not take.
  void discard_handle(std::uint64_t handle);
  void discard_directory(std::uint64_t handle);

 private:
  void on_io(std::uint32_t events) override;
  bool process_one();
  static runtime::Task<void> discard(Channel* self, runtime::Task<Status> release);

  fs::Worker& worker_;
  fs::Filesystem& filesystem_;
  fuse_session* session_;
  std::function<void()> on_progress_;
  std::function<void()> on_gone_;
  fuse_buf buffer_{};
  RequestInfo current_request_;
  bool open_ = false;
  std::list<Operation*> operations_;
  fs::OperationContext unasked_;  // of releases for which no request waits
  runtime::Gate under_way_;
};

}  // namespace sftpfs::fuse
