// Unmounter: a process of its own that can do one thing, take this mount away, for a daemon that
// gives up the right to (sandbox.h). Ordinary users unmount with fusermount3, which is set-user-id
// and so of no use to a process with no_new_privs; root needs CAP_SYS_ADMIN, and Landlock forbids
// it whatever the capabilities.
//
//   daemon ──one byte: "unmount"──► process ── umount2(MNT_DETACH), or fusermount3 -u -z
//          ◄──one byte: done or not──┘         ends when the daemon has, however that ends, and
//                                              forgets the mount's record (mount_record.h)
//
// Ownership: owns the process and the socket to it; the destructor lets it end and waits for that.
// Threads:   start() before any thread; unmount() on one thread at a time, blocks.
// Limits:    the one path given at the start. Whether our mount is still there is the caller's to
//            know: whatever lies on top at the path goes.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::app {

class Unmounter {
 public:
  static Result<Unmounter> start(const std::string& path);

  Unmounter(Unmounter&& other) noexcept;
  Unmounter& operator=(Unmounter&&) = delete;
  Unmounter(const Unmounter&) = delete;
  ~Unmounter();

  Status unmount();

 private:
  Unmounter(pid_t process, UniqueFd socket) : process_(process), socket_(std::move(socket)) {}

  pid_t process_;
  UniqueFd socket_;
};

}  // namespace sftpfs::app
