// FdWatch: one descriptor's interest in a loop's events.
//
// A descriptor of no interest is taken out altogether, because epoll reports a hang-up even to
// those who asked for nothing, and a stream whose user does not read would spin on it.
// Ownership: borrows loop, descriptor and handler; leaves the loop when destroyed.
// Threads:   the loop's thread.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "runtime/loop.h"

namespace sftpfs::ssh {

class FdWatch {
 public:
  FdWatch(runtime::Loop& loop, int fd, runtime::IoHandler& handler)
      : loop_(loop), fd_(fd), handler_(handler) {}
  ~FdWatch() { leave(); }
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  // `events` are EPOLL* bits; 0: none.
  Status want(std::uint32_t events);

 private:
  void leave();

  runtime::Loop& loop_;
  int fd_;
  runtime::IoHandler& handler_;
  std::uint32_t wanted_ = 0;
};

}  // namespace sftpfs::ssh
