// See backoff.h.
#include "sftp/backoff.h"

#include <algorithm>
#include <utility>

namespace sftpfs::sftp {

Duration Backoff::next() {
  const bool eager = attempts_ < kEagerAttempts;
  if (eager) ++attempts_;
  const Duration longest = eager ? std::min(kEagerLongest, longest_) : longest_;
  const Duration base = std::exchange(base_, std::min(base_ * 2, longest));
  std::uniform_int_distribution<Duration::rep> wait(base.count() / 2, base.count());
  return Duration(wait(random_));
}

}  // namespace sftpfs::sftp
