// See clock.h.
#include "base/clock.h"

#include <ctime>

namespace sftpfs {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

timespec read_clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return ts;
}

}  // namespace

TimePoint SteadyClock::now() const {
  const timespec ts = read_clock(CLOCK_BOOTTIME);
  return TimePoint(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
}

WallTime SteadyClock::wall_now() const {
  const timespec ts = read_clock(CLOCK_REALTIME);
  return WallTime{ts.tv_sec, static_cast<std::uint32_t>(ts.tv_nsec)};
}

TimePoint ManualClock::now() const {
  return TimePoint(Duration(now_.load(std::memory_order_relaxed)));
}

WallTime ManualClock::wall_now() const {
  const auto ns = std::chrono::nanoseconds(now().time_since_epoch()).count();
  return WallTime{ns / kNanosecondsPerSecond,
                  static_cast<std::uint32_t>(ns % kNanosecondsPerSecond)};
}

void ManualClock::advance(Duration by) { now_.fetch_add(by.count(), std::memory_order_relaxed); }

}  // namespace sftpfs
