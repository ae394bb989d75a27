// Noticing that the machine has slept, without putting it to sleep: the test owns the alarm and the
// time asleep.
#include "runtime/suspend_watcher.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vector>

#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

class SuspendWatcherTest : public ::testing::Test {
 protected:
  SuspendWatcherTest() {
    UniqueFd alarm(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    alarm_ = alarm.get();
    EXPECT_TRUE(watcher_.start(std::move(alarm)).has_value());
  }
  // What the kernel does at a resume, or when somebody sets the clock.
  void clock_changes() {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(alarm_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    sim_.loop().run_ready();
  }

  SimulatedLoop sim_;
  Duration asleep_ = hours(3);  // before the programme was started
  std::vector<Duration> told_;
  SuspendWatcher watcher_{sim_.loop(), [this](Duration slept) { told_.push_back(slept); },
                          [this] { return asleep_; }};
  int alarm_ = -1;
};

TEST_F(SuspendWatcherTest, TellsHowLongEachSleepWas) {
  asleep_ += minutes(5);
  clock_changes();
  asleep_ += hours(8);
  clock_changes();
  EXPECT_EQ(told_, (std::vector<Duration>{minutes(5), hours(8)}));
}

TEST_F(SuspendWatcherTest, AClockThatIsSetIsNoSleep) {
  clock_changes();
  EXPECT_TRUE(told_.empty());
  asleep_ += minutes(1);
  clock_changes();
  EXPECT_EQ(told_.size(), 1U);
  clock_changes();
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(SuspendWatcherTest, ANapIsNotWorthAWord) {
  asleep_ += milliseconds(999);
  clock_changes();
  EXPECT_TRUE(told_.empty());
}

TEST(SuspendAlarm, IsQuietWhileNobodySetsTheClock) {
  const Result<UniqueFd> alarm = clock_change_alarm();
  ASSERT_TRUE(alarm.has_value());
  pollfd entry{alarm->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 20), 0);
}

TEST(SuspendAlarm, TimeAsleepStandsStillWhileAwake) {
  const Duration before = time_asleep();
  const Duration difference = time_asleep() - before;
  EXPECT_LT(difference, milliseconds(500));
  EXPECT_GT(difference, -milliseconds(500));
}

}  // namespace
}  // namespace sftpfs::runtime
