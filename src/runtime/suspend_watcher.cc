// See suspend_watcher.h.
#include "runtime/suspend_watcher.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace sftpfs::runtime {
namespace {

// The year 4461: far enough, and far from what overflows inside the kernel.
constexpr time_t kNever = 0x1250000000;

Duration read_clock(clockid_t id) {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

}  // namespace

Result<UniqueFd> clock_change_alarm() {
  UniqueFd alarm(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!alarm) return fail(Error::system(errno, "timerfd_create"));
  itimerspec never{};
  never.it_value.tv_sec = kNever;
  const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  if (::timerfd_settime(alarm.get(), flags, &never, nullptr) != 0) {
    return fail(Error::system(errno, "timerfd_settime"));
  }
  return alarm;
}

Duration time_asleep() { return read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC); }

SuspendWatcher::SuspendWatcher(Loop& loop, Callback callback, std::function<Duration()> asleep)
    : loop_(loop), callback_(std::move(callback)), asleep_(std::move(asleep)), known_(asleep_()) {}

SuspendWatcher::~SuspendWatcher() {
  if (alarm_) loop_.remove_fd(alarm_.get(), *this);
}

Status SuspendWatcher::start(UniqueFd alarm) {
  const Status added = loop_.add_fd(alarm.get(), EPOLLIN, *this);
  if (!added) return added;
  alarm_ = std::move(alarm);
  return {};
}

void SuspendWatcher::on_io(std::uint32_t /*events*/) {
  // ECANCELED is the news; reading it also makes the alarm ready for the next change.
  std::uint64_t unused = 0;
  [[maybe_unused]] const ssize_t got = ::read(alarm_.get(), &unused, sizeof(unused));
  const Duration asleep = asleep_();
  const Duration slept = asleep - std::exchange(known_, asleep);
  if (slept < kShortestSleep) return;
  const Callback callback = callback_;
  callback(slept);
}

}  // namespace sftpfs::runtime
