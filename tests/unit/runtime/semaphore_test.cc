// Semaphore: order, capacity, and the race between a grant and a cancel.
#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/wait_list.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

Task<void> acquire_and_note(Semaphore& semaphore, std::size_t units, Cancel* cancel,
                            std::vector<int>& order, int id) {
  const Status status = co_await semaphore.acquire(units, cancel);
  order.push_back(status ? id : -id);
}

class SemaphoreTest : public testing::Test {
 protected:
  void acquire(int id, std::size_t units, Cancel* cancel = nullptr) {
    sim_.start(acquire_and_note(semaphore_, units, cancel, order_, id));
  }
  void release(std::size_t units) {
    sim_.inside([this, units] { semaphore_.release(units); });
  }

  SimulatedLoop sim_;
  Semaphore semaphore_{10};
  std::vector<int> order_;
};

TEST_F(SemaphoreTest, GrantsAtOnceWhatFits) {
  acquire(1, 4);
  acquire(2, 6);
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  EXPECT_EQ(semaphore_.in_use(), 10u);
  EXPECT_FALSE(semaphore_.try_acquire(1));
}

TEST_F(SemaphoreTest, ServesInOrderSoThatSmallOnesDoNotStarveALargeOne) {
  acquire(1, 8);
  acquire(2, 9);
  acquire(3, 1);  // would fit, but came later
  EXPECT_FALSE(semaphore_.try_acquire(1));
  EXPECT_EQ(order_, (std::vector<int>{1}));
  release(8);
  EXPECT_EQ(order_, (std::vector<int>{1, 2, 3}));
}

TEST_F(SemaphoreTest, GrantsOneLargerThanAllWhenEverythingIsFree) {
  acquire(1, 1);
  acquire(2, 25);
  EXPECT_EQ(order_, (std::vector<int>{1}));
  release(1);
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  EXPECT_FALSE(semaphore_.try_acquire(1));
  release(25);
  EXPECT_TRUE(semaphore_.try_acquire(1));
}

TEST_F(SemaphoreTest, CountsWithoutOverflow) {
  acquire(1, 1);
  acquire(2, std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(order_, (std::vector<int>{1}));
  release(1);
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
}

TEST_F(SemaphoreTest, ACancelledRequestLetsTheNextOneIn) {
  const auto cancel = Cancel::create();
  acquire(1, 8);
  acquire(2, 9, cancel.get());
  acquire(3, 2);
  cancel->cancel(CancelReason::kInterrupted);
  sim_.loop().run_ready();
  EXPECT_EQ(order_, (std::vector<int>{1, -2, 3}));
  EXPECT_EQ(semaphore_.in_use(), 10u);
}

TEST_F(SemaphoreTest, OneCancelledBeforeItWaitsTakesNothing) {
  const auto cancel = Cancel::create();
  cancel->cancel(CancelReason::kInterrupted);
  acquire(1, 10);
  acquire(2, 1, cancel.get());
  EXPECT_EQ(order_, (std::vector<int>{1, -2}));
  release(10);
  EXPECT_EQ(semaphore_.in_use(), 0u);
}

TEST_F(SemaphoreTest, AGrantBeforeTheCancelStands) {
  const auto cancel = Cancel::create();
  acquire(1, 10);
  acquire(2, 5, cancel.get());
  sim_.inside([&] {
    semaphore_.release(10);
    cancel->cancel(CancelReason::kInterrupted);
  });
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  EXPECT_EQ(semaphore_.in_use(), 5u);
}

// The waiter is cancelled (and queued to resume) before the release of the same turn grants it.
TEST_F(SemaphoreTest, AGrantAfterTheCancelIsGivenBack) {
  const auto cancel = Cancel::create();
  acquire(1, 10);
  acquire(2, 5, cancel.get());
  acquire(3, 10);
  sim_.inside([&] {
    cancel->cancel(CancelReason::kInterrupted);
    sim_.loop().post([this] { semaphore_.release(10); });
  });
  EXPECT_EQ(order_, (std::vector<int>{1, -2, 3}));
  EXPECT_EQ(semaphore_.in_use(), 10u);
}

TEST_F(SemaphoreTest, FollowsAChangedCapacity) {
  acquire(1, 10);
  acquire(2, 5);
  sim_.inside([this] { semaphore_.set_capacity(15); });
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  sim_.inside([this] { semaphore_.set_capacity(4); });
  acquire(3, 1);
  release(10);
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
  release(5);
  EXPECT_EQ(order_, (std::vector<int>{1, 2, 3}));
}

class SemaphoreDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(SemaphoreDeathTest, RefusesAReleaseOfWhatNobodyHolds) {
  EXPECT_DEATH(
      {
        Semaphore semaphore(10);
        semaphore.release(1);
      },
      "internal error");
}

TEST_F(SemaphoreDeathTest, MustOutliveItsWaiters) {
  EXPECT_DEATH(
      {
        SimulatedLoop sim;
        std::vector<int> order;
        auto semaphore = std::make_unique<Semaphore>(1);
        sim.start(acquire_and_note(*semaphore, 1, nullptr, order, 1));
        sim.start(acquire_and_note(*semaphore, 1, nullptr, order, 2));
        semaphore.reset();
      },
      "internal error");
}

}  // namespace
}  // namespace sftpfs::runtime
