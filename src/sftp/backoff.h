// Backoff: how long to wait before the next attempt.
//
// The base doubles from `first` up to `longest`, but stays at kEagerLongest until kEagerAttempts
// have been made: a server that is started again is back within the minute, and should be found
// then at once. Each wait is a random part of the base between one half and the whole, so that the
// clones of a mount do not knock all at once.
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
  static constexpr int kEagerAttempts = 40;
  static constexpr Duration kEagerLongest = std::chrono::seconds(2);

  Backoff(Duration first, Duration longest, std::uint64_t seed)
      : first_(first), longest_(longest), base_(first), random_(seed) {}

  Duration next();
  void reset() {
    base_ = first_;
    attempts_ = 0;
  }

 private:
  Duration first_;
  Duration longest_;
  Duration base_;
  int attempts_ = 0;
  std::mt19937_64 random_;
};

}  // namespace sftpfs::sftp
