// See fd_watch.h.
#include "ssh/fd_watch.h"

#include <utility>

namespace sftpfs::ssh {

Status FdWatch::want(std::uint32_t events) {
  if (events == wanted_) return {};
  const std::uint32_t before = std::exchange(wanted_, events);
  if (events == 0) {
    loop_.remove_fd(fd_, handler_);
    return {};
  }
  return before == 0 ? loop_.add_fd(fd_, events, handler_) : loop_.modify_fd(fd_, events, handler_);
}

void FdWatch::leave() {
  if (wanted_ != 0) loop_.remove_fd(fd_, handler_);
  wanted_ = 0;
}

}  // namespace sftpfs::ssh
