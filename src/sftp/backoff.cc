// See backoff.h.
#include "sftp/backoff.h"

#include <algorithm>
#include <utility>

namespace sftpfs::sftp {

Duration Backoff::next() {
  const Duration base = std::exchange(base_, std::min(base_ * 2, longest_));
  std::uniform_int_distribution<Duration::rep> wait(base.count() / 2, base.count());
  return Duration(wait(random_));
}

}  // namespace sftpfs::sftp
