// See unique_fd.h.
#include "base/unique_fd.h"

#include <unistd.h>

namespace sftpfs {

void UniqueFd::reset(int fd) {
  // close() is never retried on EINTR: on Linux the descriptor is gone either way.
  if (fd_ >= 0 && fd_ != fd) ::close(fd_);
  fd_ = fd;
}

}  // namespace sftpfs
