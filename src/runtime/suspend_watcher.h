// SuspendWatcher: tells that the machine has been asleep, as soon as it is awake.
//
//   resume ─► the wall clock jumps ahead of the monotonic one ─► the alarm is readable
//          ─► boot clock minus monotonic clock has grown by the time asleep ─► callback
//
// Setting the wall clock raises the alarm too; then nothing has grown, and nothing is told.
//
// Ownership: owns the alarm; the loop outlives it.
// Threads:   the loop's thread only.
// Limits:    naps shorter than kShortestSleep are not told: connections survive those.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "runtime/loop.h"

namespace sftpfs::runtime {

// A timer that never expires and becomes readable when the wall clock is set, as by a resume.
Result<UniqueFd> clock_change_alarm();
// How long the machine has slept since it was started.
Duration time_asleep();

class SuspendWatcher final : private IoHandler {
 public:
  static constexpr Duration kShortestSleep = std::chrono::seconds(1);
  using Callback = std::function<void(Duration slept)>;

  // `asleep` is time_asleep() but in tests.
  SuspendWatcher(Loop& loop, Callback callback, std::function<Duration()> asleep = time_asleep);
  ~SuspendWatcher();
  SuspendWatcher(const SuspendWatcher&) = delete;
  SuspendWatcher& operator=(const SuspendWatcher&) = delete;

  // Once; `alarm` is clock_change_alarm() but in tests.
  Status start(UniqueFd alarm);

 private:
  void on_io(std::uint32_t events) override;

  Loop& loop_;
  Callback callback_;
  std::function<Duration()> asleep_;
  Duration known_{};
  UniqueFd alarm_;
};

}  // namespace sftpfs::runtime
