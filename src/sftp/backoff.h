// Backoff: how long to wait before the next attempt.
//
// The base doubles from `first` up to `longest`; each wait is a random part of it between one
// half and the whole, so that the clones of a mount do not knock all at once.
//
// Ownership: a Session owns one.
// Threads:   one thread. The same seed gives the same waits.
#pragma once

#include <cstdint>
#include <random>

#include "base/clock.h"

namespace sftpfs::sftp {

class Backoff {
 public:
  Backoff(Duration first, Duration longest, std::uint64_t seed)
      : first_(first), longest_(longest), base_(first), random_(seed) {}

  Duration next();
  void reset() { base_ = first_; }

 private:
  Duration first_;
  Duration longest_;
  Duration base_;
  std::mt19937_64 random_;
};

}  // namespace sftpfs::sftp
