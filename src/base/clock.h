// Time as an argument: loops and caches ask a Clock, so that tests own the time.
//
// Threads: SteadyClock is immutable; ManualClock may be advanced from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sftpfs {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// What the remote protocol and the kernel speak: seconds and nanoseconds since 1970.
struct WallTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend bool operator==(const WallTime&, const WallTime&) = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;      // monotonic; runs on through a suspend of the machine
  virtual WallTime wall_now() const = 0;  // for time stamps shown to people, never for deadlines
};

// CLOCK_BOOTTIME and CLOCK_REALTIME. Boot time counts sleep, so a laptop that wakes up sees at
// once that its deadlines have passed.
class SteadyClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wall_now() const override;
};

class ManualClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wall_now() const override;
  void advance(Duration by);

 private:
  std::atomic<Duration::rep> now_{0};
};

}  // namespace sftpfs
