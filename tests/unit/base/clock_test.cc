// Time as an argument.
#include "base/clock.h"

#include <gtest/gtest.h>

#include <ctime>
#include <thread>

namespace sftpfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const TimePoint start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(milliseconds(1500));
  EXPECT_EQ(clock.now() - start, milliseconds(1500));
}

TEST(ManualClock, TellsWallTimeInSecondsAndNanoseconds) {
  ManualClock clock;
  clock.advance(milliseconds(2500));
  EXPECT_EQ(clock.wall_now(), (WallTime{2, 500'000'000}));
}

TEST(ManualClock, CountsEveryAdvanceOfManyThreads) {
  ManualClock clock;
  {
    std::jthread one([&clock] {
      for (int i = 0; i < 1000; ++i) clock.advance(seconds(1));
    });
    std::jthread other([&clock] {
      for (int i = 0; i < 1000; ++i) clock.advance(seconds(1));
    });
  }
  EXPECT_EQ(clock.now().time_since_epoch(), seconds(2000));
}

TEST(SteadyClock, NeverGoesBack) {
  const SteadyClock clock;
  TimePoint last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const TimePoint next = clock.now();
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST(SteadyClock, WallTimeIsTheKernels) {
  const SteadyClock clock;
  const std::time_t before = std::time(nullptr);
  const WallTime wall = clock.wall_now();
  // time() reads the coarse clock, which may lag by a tick.
  EXPECT_GE(wall.seconds, before);
  EXPECT_LE(wall.seconds, std::time(nullptr) + 1);
  EXPECT_LT(wall.nanoseconds, 1'000'000'000u);
}

}  // namespace
}  // namespace sftpfs
