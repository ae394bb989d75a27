// Cancel: ends waits before, during and never after; from any thread, on every loop.
#include "runtime/cancel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/hop.h"
#include "runtime/wait_list.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

class Counter final : public CancelHook {
 public:
  void on_cancel() override { ++calls; }
  int calls = 0;
};

// 1: notified, 0: cancelled, -1: still waiting.
Task<void> wait_for(WaitList& list, Cancel* cancel, int& outcome) {
  const bool notified = co_await list.wait(cancel);
  outcome = notified ? 1 : 0;
}

TEST(Cancel, KeepsItsFirstReason) {
  const auto cancel = Cancel::create();
  EXPECT_FALSE(cancel->cancelled());
  cancel->cancel(CancelReason::kTimedOut);
  cancel->cancel(CancelReason::kShutdown);
  EXPECT_EQ(cancel->reason(), CancelReason::kTimedOut);
}

TEST(Cancel, TurnsItsReasonIntoAnError) {
  const auto error_of = [](CancelReason reason) {
    const auto cancel = Cancel::create();
    cancel->cancel(reason);
    return cancel->error().code();
  };
  EXPECT_EQ(error_of(CancelReason::kInterrupted), ErrorCode::kCancelled);
  EXPECT_EQ(error_of(CancelReason::kTimedOut), ErrorCode::kTimedOut);
  EXPECT_EQ(error_of(CancelReason::kShutdown), ErrorCode::kShutdown);
}

TEST(Cancel, BeforeAWaitEndsItAtOnce) {
  SimulatedLoop sim;
  WaitList list;
  const auto cancel = Cancel::create();
  cancel->cancel(CancelReason::kInterrupted);
  int outcome = -1;
  sim.start(wait_for(list, cancel.get(), outcome));
  EXPECT_EQ(outcome, 0);
}

TEST(Cancel, DuringAWaitEndsIt) {
  SimulatedLoop sim;
  WaitList list;
  const auto cancel = Cancel::create();
  int outcome = -1;
  sim.start(wait_for(list, cancel.get(), outcome));
  EXPECT_EQ(outcome, -1);
  cancel->cancel(CancelReason::kInterrupted);
  sim.loop().run_ready();
  EXPECT_EQ(outcome, 0);
  EXPECT_TRUE(list.empty());
}

TEST(Cancel, AfterAWaitChangesNothing) {
  SimulatedLoop sim;
  WaitList list;
  const auto cancel = Cancel::create();
  int outcome = -1;
  sim.start(wait_for(list, cancel.get(), outcome));
  sim.inside([&list] { list.notify_one(); });
  cancel->cancel(CancelReason::kInterrupted);
  sim.loop().run_ready();
  EXPECT_EQ(outcome, 1);
}

TEST(Cancel, CannotTakeBackANotificationOfTheSameTurn) {
  SimulatedLoop sim;
  WaitList list;
  const auto cancel = Cancel::create();
  int outcome = -1;
  sim.start(wait_for(list, cancel.get(), outcome));
  sim.inside([&] {
    list.notify_one();
    cancel->cancel(CancelReason::kInterrupted);
  });
  EXPECT_EQ(outcome, 1);
}

TEST(Cancel, CallsAHookOnceHoweverOftenItIsCancelled) {
  SimulatedLoop sim;
  const auto cancel = Cancel::create();
  Counter hook;
  sim.inside([&] { cancel->attach(hook); });
  cancel->cancel(CancelReason::kInterrupted);
  cancel->cancel(CancelReason::kShutdown);
  sim.loop().run_ready();
  EXPECT_EQ(hook.calls, 1);
}

TEST(Cancel, CallsAHookThatIsAttachedTooLate) {
  SimulatedLoop sim;
  const auto cancel = Cancel::create();
  cancel->cancel(CancelReason::kInterrupted);
  Counter hook;
  sim.inside([&] {
    cancel->attach(hook);
    EXPECT_EQ(hook.calls, 0);  // never from inside attach()
  });
  EXPECT_EQ(hook.calls, 1);
}

TEST(Cancel, DoesNotCallAHookThatHasLeft) {
  SimulatedLoop sim;
  const auto cancel = Cancel::create();
  Counter hook;
  sim.inside([&] {
    cancel->attach(hook);
    cancel->cancel(CancelReason::kInterrupted);
    cancel->detach(hook);
  });
  EXPECT_EQ(hook.calls, 0);
}

class Leaver final : public CancelHook {
 public:
  Leaver(Cancel& cancel, CancelHook& other) : cancel_(cancel), other_(other) {}
  void on_cancel() override { cancel_.detach(other_); }

 private:
  Cancel& cancel_;
  CancelHook& other_;
};

TEST(Cancel, LetsAHookTakeAnotherAway) {
  SimulatedLoop sim;
  const auto cancel = Cancel::create();
  Counter second;
  Leaver first(*cancel, second);
  sim.inside([&] {
    cancel->attach(first);
    cancel->attach(second);
    cancel->cancel(CancelReason::kInterrupted);
  });
  EXPECT_EQ(second.calls, 0);
}

TEST(Cancel, OutlivesItsOwnerWhileADeliveryIsUnderWay) {
  SimulatedLoop sim;
  auto cancel = Cancel::create();
  Counter hook;
  sim.inside([&] {
    cancel->attach(hook);
    cancel->cancel(CancelReason::kInterrupted);
    cancel->detach(hook);
    cancel.reset();
  });
  EXPECT_EQ(hook.calls, 0);
}

// Waits on its own loop until cancelled.
Task<bool> wait_here(Cancel* cancel, std::latch& waiting) {
  WaitList never;
  waiting.count_down();
  const bool notified = co_await never.wait(cancel);
  co_return notified;
}

TEST(CancelAcrossLoops, EndsWaitsOnEveryLoopOfOneOperation) {
  LoopThread one;
  LoopThread other;
  const auto cancel = Cancel::create();
  std::latch waiting(2);
  std::atomic<int> ended{0};
  const auto body = [](Cancel* stop, std::latch& both, std::atomic<int>& count,
                       std::latch& end) -> Task<void> {
    const bool notified = co_await wait_here(stop, both);
    if (!notified) ++count;
    end.count_down();
  };
  std::latch end(2);
  one.loop().post([&] { spawn(body(cancel.get(), waiting, ended, end)); });
  other.loop().post([&] { spawn(body(cancel.get(), waiting, ended, end)); });
  waiting.wait();
  cancel->cancel(CancelReason::kInterrupted);
  end.wait();
  EXPECT_EQ(ended.load(), 2);
}

TEST(CancelAcrossLoops, ReachesAWaitThatWasHoppedTo) {
  LoopThread here;
  LoopThread there;
  const auto cancel = Cancel::create();
  std::latch waiting(1);
  std::jthread canceller([&] {
    waiting.wait();
    cancel->cancel(CancelReason::kInterrupted);
  });
  const auto body = [](Loop& target, Cancel* stop, std::latch& ready) -> Task<bool> {
    co_return co_await run_on(target, wait_here(stop, ready));
  };
  EXPECT_FALSE(here.finish(body(there.loop(), cancel.get(), waiting)));
}

TEST(CancelRace, EveryWaitEndsWhicheverThreadIsFaster) {
  constexpr int kRounds = 300;
  LoopThread worker;
  int cancelled = 0;
  const auto body = [](WaitList& list, std::shared_ptr<Cancel> stop) -> Task<bool> {
    const bool notified = co_await list.wait(stop.get());
    co_return notified;
  };
  for (int round = 0; round < kRounds; ++round) {
    WaitList list;
    const auto cancel = Cancel::create();
    std::latch start(3);
    std::jthread first([&] {
      start.arrive_and_wait();
      cancel->cancel(CancelReason::kInterrupted);
    });
    std::jthread second([&] {
      start.arrive_and_wait();
      cancel->cancel(CancelReason::kShutdown);
      worker.loop().post([&list] { list.notify_all(); });
    });
    start.arrive_and_wait();
    if (!worker.finish(body(list, cancel))) ++cancelled;
    second.join();
    worker.call([] {});  // the posted notification refers to `list`
  }
  EXPECT_GT(cancelled, 0);
}

}  // namespace
}  // namespace sftpfs::runtime
