// Timers, in simulated time and on the machine's clock.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "runtime/loop.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Timer, FiresAtItsTimeAndNotBefore) {
  SimulatedLoop sim;
  Timer timer(sim.loop());
  int fired = 0;
  timer.start_after(milliseconds(10), [&fired] { ++fired; });
  EXPECT_TRUE(timer.active());
  sim.pass(milliseconds(9));
  EXPECT_EQ(fired, 0);
  sim.pass(milliseconds(1));
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer.active());
  sim.pass(hours(1));
  EXPECT_EQ(fired, 1);
}

TEST(Timer, ManyFireInTheOrderOfTheirTimesThenOfTheirStart) {
  SimulatedLoop sim;
  std::vector<int> order;
  Timer late(sim.loop());
  Timer first(sim.loop());
  Timer second(sim.loop());
  late.start_after(milliseconds(20), [&] { order.push_back(3); });
  first.start_after(milliseconds(10), [&] { order.push_back(1); });
  second.start_after(milliseconds(10), [&] { order.push_back(2); });
  sim.pass(milliseconds(30));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Timer, DoesNotFireOnceCancelledOrDestroyed) {
  SimulatedLoop sim;
  int fired = 0;
  Timer cancelled(sim.loop());
  cancelled.start_after(milliseconds(1), [&fired] { ++fired; });
  {
    Timer destroyed(sim.loop());
    destroyed.start_after(milliseconds(1), [&fired] { ++fired; });
  }
  cancelled.cancel();
  EXPECT_EQ(sim.loop().next_deadline(), std::nullopt);
  sim.pass(milliseconds(5));
  EXPECT_EQ(fired, 0);
}

TEST(Timer, StartedAgainForgetsItsFirstTimeAndCallback) {
  SimulatedLoop sim;
  std::vector<int> fired;
  Timer timer(sim.loop());
  timer.start_after(milliseconds(5), [&] { fired.push_back(1); });
  timer.start_after(milliseconds(10), [&] { fired.push_back(2); });
  sim.pass(milliseconds(5));
  EXPECT_TRUE(fired.empty());
  sim.pass(milliseconds(5));
  EXPECT_EQ(fired, (std::vector<int>{2}));
}

TEST(Timer, MayBeStartedByItsOwnCallback) {
  SimulatedLoop sim;
  int ticks = 0;
  Timer timer(sim.loop());
  const auto tick = [&](const auto& self) -> void {
    if (++ticks < 3) timer.start_after(milliseconds(10), [&] { self(self); });
  };
  timer.start_after(milliseconds(10), [&] { tick(tick); });
  for (int i = 0; i < 5; ++i) sim.pass(milliseconds(10));
  EXPECT_EQ(ticks, 3);
}

TEST(Timer, MayBeDestroyedByItsOwnCallback) {
  SimulatedLoop sim;
  auto timer = std::make_unique<Timer>(sim.loop());
  timer->start_after(milliseconds(1), [&timer] { timer.reset(); });
  sim.pass(milliseconds(1));
  EXPECT_EQ(timer, nullptr);
}

TEST(Timer, MayBeOwnedByTheCallbackThatItsCancelFrees) {
  SimulatedLoop sim;
  auto timer = std::make_shared<Timer>(sim.loop());
  Timer* const raw = timer.get();
  raw->start_after(milliseconds(1), [timer = std::move(timer)] {});
  raw->cancel();
  EXPECT_EQ(sim.loop().next_deadline(), std::nullopt);
}

TEST(Timer, MayCancelAnotherThatIsDueToo) {
  SimulatedLoop sim;
  int fired = 0;
  Timer first(sim.loop());
  Timer second(sim.loop());
  first.start_after(milliseconds(1), [&second] { second.cancel(); });
  second.start_after(milliseconds(1), [&fired] { ++fired; });
  sim.pass(milliseconds(1));
  EXPECT_EQ(fired, 0);
}

TEST(Timer, ThatStartsItselfAtOnceLeavesTheTurn) {
  SimulatedLoop sim;
  Timer timer(sim.loop());
  int ticks = 0;
  int ticks_before_job = -1;
  const auto tick = [&](const auto& self) -> void {
    if (ticks == 0) sim.loop().post([&] { ticks_before_job = ticks; });
    if (++ticks < 1000) timer.start_after(Duration::zero(), [&] { self(self); });
  };
  timer.start_after(Duration::zero(), [&] { tick(tick); });
  sim.loop().run_ready();
  EXPECT_EQ(ticks, 1000);
  EXPECT_LT(ticks_before_job, 5);
}

TEST(Timer, NeverIsATimeTooFarToReach) {
  SimulatedLoop sim;
  sim.clock().advance(hours(1));
  Timer timer(sim.loop());
  timer.start_after(Duration::max(), [] { FAIL() << "fired"; });
  EXPECT_EQ(sim.loop().next_deadline(), TimePoint::max());
  sim.pass(hours(24 * 365));
  EXPECT_TRUE(timer.active());
}

TEST(Timer, TellsTheEarliestDeadline) {
  SimulatedLoop sim;
  Timer one(sim.loop());
  Timer other(sim.loop());
  one.start_after(milliseconds(20), [] {});
  other.start_after(milliseconds(10), [] {});
  EXPECT_EQ(sim.loop().next_deadline(), sim.clock().now() + milliseconds(10));
}

TEST(TimerDeathTest, AnOutstandingOneMustNotOutliveItsLoop) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ManualClock clock;
        auto loop = std::make_unique<Loop>(clock);
        Timer timer(*loop);
        timer.start_after(milliseconds(1), [] {});
        loop.reset();
      },
      "internal error");
}

// Runs one timer on `worker` and yields how late after its start it fired.
Duration measure(LoopThread& worker, Timer& timer, Duration delay) {
  std::promise<TimePoint> fired;
  const TimePoint started = worker.call([&] {
    Loop& loop = worker.loop();
    const TimePoint now = loop.now();
    timer.start_after(delay, [&fired, &loop] { fired.set_value(loop.now()); });
    return now;
  });
  return fired.get_future().get() - started;
}

TEST(TimerOnTheRealClock, WakesASleepingLoop) {
  LoopThread worker;
  Timer timer(worker.loop());
  EXPECT_GE(measure(worker, timer, milliseconds(5)), milliseconds(5));
}

TEST(TimerOnTheRealClock, OneThatComesEarlierMovesTheAlarmForward) {
  LoopThread worker;
  Timer far(worker.loop());
  Timer near(worker.loop());
  worker.call([&] { far.start_after(hours(10), [] {}); });
  worker.call([] {});  // the loop has slept on the far alarm meanwhile, or is about to
  EXPECT_LT(measure(worker, near, milliseconds(5)), hours(1));
  worker.call([&] { far.cancel(); });
}

TEST(TimerOnTheRealClock, AnAlarmLeftFromACancelledTimerDoesNotFireALaterOneEarly) {
  LoopThread worker;
  Timer timer(worker.loop());
  worker.call([&] { timer.start_after(milliseconds(2), [] {}); });
  worker.call([&] { timer.cancel(); });
  EXPECT_GE(measure(worker, timer, milliseconds(20)), milliseconds(20));
  EXPECT_GE(measure(worker, timer, milliseconds(1)), milliseconds(1));
}

TEST(TimerOnTheRealClock, ServesManyInARow) {
  LoopThread worker;
  Timer timer(worker.loop());
  for (int i = 0; i < 50; ++i) {
    EXPECT_GE(measure(worker, timer, std::chrono::microseconds(100)),
              std::chrono::microseconds(100));
  }
}

}  // namespace
}  // namespace sftpfs::runtime
