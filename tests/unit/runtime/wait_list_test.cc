// WaitList, Gate, AsyncMutex and sleep_for().
#include "runtime/wait_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<void> wait_and_note(WaitList& list, Cancel* cancel, std::vector<int>& order, int id) {
  const bool notified = co_await list.wait(cancel);
  order.push_back(notified ? id : -id);
}

TEST(WaitList, ServesFirstComeFirst) {
  SimulatedLoop sim;
  WaitList list;
  std::vector<int> order;
  for (int id = 1; id <= 3; ++id) sim.start(wait_and_note(list, nullptr, order, id));
  EXPECT_EQ(list.size(), 3u);
  sim.inside([&list] { list.notify_one(); });
  EXPECT_EQ(order, (std::vector<int>{1}));
  sim.inside([&list] { list.notify_all(); });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(list.empty());
}

TEST(WaitList, NotifyingNobodyIsForgotten) {
  SimulatedLoop sim;
  WaitList list;
  std::vector<int> order;
  sim.inside([&list] { list.notify_one(); });
  sim.start(wait_and_note(list, nullptr, order, 1));
  EXPECT_TRUE(order.empty());
  sim.inside([&list] { list.notify_all(); });
}

TEST(WaitList, ACancelledWaiterTakesNoNotification) {
  SimulatedLoop sim;
  WaitList list;
  std::vector<int> order;
  const auto cancel = Cancel::create();
  sim.start(wait_and_note(list, cancel.get(), order, 1));
  sim.start(wait_and_note(list, nullptr, order, 2));
  sim.inside([&] {
    cancel->cancel(CancelReason::kInterrupted);
    // Delivered by a later job: the waiter is still first in the list when it is cancelled.
    sim.loop().post([&list] { list.notify_one(); });
  });
  EXPECT_EQ(order, (std::vector<int>{-1, 2}));
}

TEST(WaitList, MayDieOnceItsLastWaiterIsNotified) {
  SimulatedLoop sim;
  auto list = std::make_unique<WaitList>();
  std::vector<int> order;
  sim.start(wait_and_note(*list, nullptr, order, 1));
  sim.inside([&list] {
    list->notify_all();
    list.reset();
  });
  EXPECT_EQ(order, (std::vector<int>{1}));
}

TEST(WaitListDeathTest, MustOutliveItsWaiters) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SimulatedLoop sim;
        std::vector<int> order;
        auto list = std::make_unique<WaitList>();
        sim.start(wait_and_note(*list, nullptr, order, 1));
        list.reset();
      },
      "internal error");
}

Task<void> drain(Gate& gate, bool& drained) {
  co_await gate.drained();
  drained = true;
}

TEST(Gate, IsDrainedAtOnceWhenNobodyIsInside) {
  SimulatedLoop sim;
  Gate gate;
  bool drained = false;
  gate.close();
  sim.start(drain(gate, drained));
  EXPECT_TRUE(drained);
}

TEST(Gate, IsDrainedWhenTheLastLeaves) {
  SimulatedLoop sim;
  Gate gate;
  bool drained = false;
  EXPECT_TRUE(gate.enter());
  EXPECT_TRUE(gate.enter());
  gate.close();
  sim.start(drain(gate, drained));
  sim.inside([&gate] { gate.leave(); });
  EXPECT_FALSE(drained);
  EXPECT_EQ(gate.inside(), 1u);
  sim.inside([&gate] { gate.leave(); });
  EXPECT_TRUE(drained);
}

TEST(Gate, LetsNobodyInOnceClosed) {
  Gate gate;
  gate.close();
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(gate.enter());
  EXPECT_EQ(gate.inside(), 0u);
}

TEST(Gate, WaitsOnWhenSomebodyEntersBeforeTheDrainerLooks) {
  SimulatedLoop sim;
  Gate gate;
  bool drained = false;
  EXPECT_TRUE(gate.enter());
  sim.start(drain(gate, drained));
  sim.inside([&gate] {
    gate.leave();
    EXPECT_TRUE(gate.enter());
  });
  EXPECT_FALSE(drained);
  sim.inside([&gate] { gate.leave(); });
  EXPECT_TRUE(drained);
}

struct Holder {
  std::optional<AsyncMutex::Lock> lock;
  std::optional<ErrorCode> error;
};

Task<void> take(AsyncMutex& mutex, Cancel* cancel, Holder& holder, std::vector<int>& order,
                int id) {
  Result<AsyncMutex::Lock> lock = co_await mutex.lock(cancel);
  order.push_back(lock ? id : -id);
  if (lock) {
    holder.lock = std::move(*lock);
  } else {
    holder.error = lock.error().code();
  }
}

class AsyncMutexTest : public testing::Test {
 protected:
  void start(int id, Cancel* cancel = nullptr) {
    sim_.start(take(mutex_, cancel, holders_[static_cast<std::size_t>(id)], order_, id));
  }
  void unlock(int id) {
    sim_.inside([this, id] { holders_[static_cast<std::size_t>(id)].lock.reset(); });
  }

  SimulatedLoop sim_;
  AsyncMutex mutex_;
  std::vector<Holder> holders_ = std::vector<Holder>(5);
  std::vector<int> order_;
};

TEST_F(AsyncMutexTest, HandsOverInOrder) {
  start(1);
  start(2);
  start(3);
  EXPECT_EQ(order_, (std::vector<int>{1}));
  unlock(1);
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  unlock(2);
  EXPECT_EQ(order_, (std::vector<int>{1, 2, 3}));
  unlock(3);
  EXPECT_FALSE(mutex_.locked());
}

TEST_F(AsyncMutexTest, ANewcomerCannotSlipInBetweenUnlockAndHandOver) {
  start(1);
  start(2);
  sim_.inside([this] {
    holders_[1].lock.reset();
    EXPECT_TRUE(mutex_.locked());
    spawn(take(mutex_, nullptr, holders_[3], order_, 3));
  });
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  unlock(2);
  EXPECT_EQ(order_, (std::vector<int>{1, 2, 3}));
  unlock(3);
}

TEST_F(AsyncMutexTest, ACancelledWaiterLeavesTheQueue) {
  const auto cancel = Cancel::create();
  start(1);
  start(2, cancel.get());
  start(3);
  cancel->cancel(CancelReason::kTimedOut);
  sim_.loop().run_ready();
  EXPECT_EQ(holders_[2].error, ErrorCode::kTimedOut);
  unlock(1);
  EXPECT_EQ(order_, (std::vector<int>{1, -2, 3}));
  unlock(3);
  EXPECT_FALSE(mutex_.locked());
}

TEST_F(AsyncMutexTest, OneCancelledAfterTheHandOverHoldsTheLock) {
  const auto cancel = Cancel::create();
  start(1);
  start(2, cancel.get());
  sim_.inside([this, &cancel] {
    holders_[1].lock.reset();
    cancel->cancel(CancelReason::kInterrupted);
  });
  EXPECT_TRUE(holders_[2].lock.has_value());
  unlock(2);
  EXPECT_FALSE(mutex_.locked());
}

TEST_F(AsyncMutexTest, OneCancelledJustBeforeTheUnlockLeavesItFree) {
  const auto cancel = Cancel::create();
  start(1);
  start(2, cancel.get());
  sim_.inside([this, &cancel] {
    cancel->cancel(CancelReason::kInterrupted);
    sim_.loop().post([this] { holders_[1].lock.reset(); });
  });
  EXPECT_EQ(holders_[2].error, ErrorCode::kCancelled);
  EXPECT_FALSE(mutex_.locked());
}

TEST_F(AsyncMutexTest, AMovedLockUnlocksOnce) {
  start(1);
  AsyncMutex::Lock moved = std::move(*holders_[1].lock);
  holders_[1].lock.reset();
  EXPECT_TRUE(mutex_.locked());
  moved.unlock();
  moved.unlock();
  EXPECT_FALSE(mutex_.locked());
}

Task<void> sleep_and_note(Duration delay, Cancel* cancel, std::optional<Status>& outcome) {
  Status status = co_await sleep_for(delay, cancel);
  outcome = std::move(status);
}

TEST(SleepFor, EndsAtItsTime) {
  SimulatedLoop sim;
  std::optional<Status> outcome;
  sim.start(sleep_and_note(seconds(1), nullptr, outcome));
  sim.pass(milliseconds(999));
  EXPECT_FALSE(outcome.has_value());
  sim.pass(milliseconds(1));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->has_value());
}

TEST(SleepFor, EndsAtOnceWhenCancelledAndLeavesNoTimer) {
  SimulatedLoop sim;
  std::optional<Status> outcome;
  const auto cancel = Cancel::create();
  sim.start(sleep_and_note(seconds(1), cancel.get(), outcome));
  cancel->cancel(CancelReason::kShutdown);
  sim.loop().run_ready();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->error().is(ErrorCode::kShutdown));
  EXPECT_EQ(sim.loop().next_deadline(), std::nullopt);
}

TEST(SleepFor, DoesNotSleepWhenCancelledBefore) {
  SimulatedLoop sim;
  std::optional<Status> outcome;
  const auto cancel = Cancel::create();
  cancel->cancel(CancelReason::kInterrupted);
  sim.start(sleep_and_note(seconds(1), cancel.get(), outcome));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->error().is(ErrorCode::kCancelled));
}

TEST(SleepFor, ZeroEndsWithoutTimePassing) {
  SimulatedLoop sim;
  std::optional<Status> outcome;
  sim.start(sleep_and_note(Duration::zero(), nullptr, outcome));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->has_value());
}

}  // namespace
}  // namespace sftpfs::runtime
