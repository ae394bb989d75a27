// Promises of single-flight: one loader, any number of waiters, each woken exactly once.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

TEST(CacheWait, GivesTheDutyToLoadToExactlyOne) {
  BlockCache cache(small_config(4));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter first;
  RecordingWaiter second;
  EXPECT_TRUE(is_waiting(cache.get(block(0), &first)));
  EXPECT_TRUE(is_waiting(cache.get(block(0), &second)));
  EXPECT_TRUE(is_loading(cache.get(block(0), nullptr)));
  EXPECT_EQ(cache.stats().loads, 1U);
  EXPECT_EQ(first.wakes + second.wakes, 0);
  commit_text(std::move(load), "x").release();
}

TEST(CacheWait, HandsEveryWaiterAPinOfItsOwn) {
  BlockCache cache(small_config(1));
  Load load = take_load(cache.get(block(0), nullptr));
  std::vector<RecordingWaiter> waiters(3);
  for (RecordingWaiter& waiter : waiters) (void)cache.get(block(0), &waiter);
  commit_text(std::move(load), "data").release();
  for (RecordingWaiter& waiter : waiters) {
    ASSERT_TRUE(waiter.woken_with_pin());
    EXPECT_EQ(waiter.text(), "data");
    EXPECT_TRUE(is_busy(cache.get(block(1), nullptr))) << "still pinned by the others";
    waiter.last.reset();
  }
  EXPECT_TRUE(is_load(cache.get(block(1), nullptr)));
}

TEST(CacheWait, WakesInTheOrderOfAsking) {
  struct Numbered final : Waiter {
    Numbered(int n, std::vector<int>& into) : number(n), order(into) {}
    void wake(Result<Pin>) noexcept override { order.push_back(number); }
    int number;
    std::vector<int>& order;
  };
  BlockCache cache(small_config(1));
  std::vector<int> order;
  Numbered first(1, order);
  Numbered second(2, order);
  Numbered third(3, order);
  Load load = take_load(cache.get(block(0), nullptr));
  for (Numbered* waiter : {&first, &second, &third}) (void)cache.get(block(0), waiter);
  load.commit(0).release();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(CacheWait, PassesTheErrorOfAFailedLoadOn) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  load.abandon(Error(ErrorCode::kConnectionLost, "gone"));
  ASSERT_TRUE(waiter.woken_with(ErrorCode::kConnectionLost));
  EXPECT_EQ(waiter.last->error().message(), "gone");
  EXPECT_TRUE(is_load(cache.get(block(0), nullptr))) << "the next one may try";
}

TEST(CacheWait, WakesWithBusyWhenALoadIsDropped) {
  BlockCache cache(small_config(2));
  RecordingWaiter waiter;
  {
    Load load = take_load(cache.get(block(0), nullptr));
    (void)cache.get(block(0), &waiter);
  }
  EXPECT_TRUE(waiter.woken_with(ErrorCode::kBusy));
}

TEST(CacheWait, AllowsAWaiterToAskAgainFromWithinItsWake) {
  // Also proves that no lock is held: the shard's mutex is not recursive.
  struct Retrying final : Waiter {
    explicit Retrying(BlockCache& c) : cache(c) {}
    void wake(Result<Pin> outcome) noexcept override {
      ++wakes;
      if (!outcome) retry = take_load(cache.get(block(0), this));
    }
    BlockCache& cache;
    int wakes = 0;
    Load retry;
  };
  BlockCache cache(small_config(1));
  Retrying waiter(cache);
  Load load = take_load(cache.get(block(0), nullptr));
  (void)cache.get(block(0), &waiter);
  load.abandon(Error(ErrorCode::kTimedOut));
  EXPECT_EQ(waiter.wakes, 1);
  EXPECT_TRUE(waiter.retry);
  waiter.retry.commit(0).release();
}

TEST(CacheWait, AllowsAWaiterToDieInItsWake) {
  struct Ephemeral final : Waiter {
    void wake(Result<Pin>) noexcept override { delete this; }
  };
  BlockCache cache(small_config(1));
  Load load = take_load(cache.get(block(0), nullptr));
  for (int i = 0; i < 3; ++i) (void)cache.get(block(0), std::make_unique<Ephemeral>().release());
  load.commit(0).release();
}

TEST(CacheWait, LetsAWaiterWaitAgainForAnotherBlock) {
  BlockCache cache(small_config(2));
  RecordingWaiter waiter;
  for (std::uint64_t i = 0; i < 3; ++i) {
    Load load = take_load(cache.get(block(i), nullptr));
    EXPECT_TRUE(is_waiting(cache.get(block(i), &waiter)));
    load.commit(0).release();
    EXPECT_EQ(waiter.wakes, static_cast<int>(i) + 1);
    waiter.last.reset();
  }
}

TEST(CacheWait, CancelsAWaitThatHasNotEnded) {
  BlockCache cache(small_config(1));
  Load load = take_load(cache.get(block(0), nullptr));
  std::vector<RecordingWaiter> waiters(3);
  for (std::size_t cancelled = 0; cancelled < waiters.size(); ++cancelled) {
    for (RecordingWaiter& waiter : waiters) {
      waiter.wakes = 0;
      (void)cache.get(block(0), &waiter);
    }
    EXPECT_TRUE(cache.cancel_wait(block(0), waiters[cancelled]));
    EXPECT_FALSE(cache.cancel_wait(block(0), waiters[cancelled])) << "only once";
    load.abandon(Error(ErrorCode::kTimedOut));
    for (std::size_t i = 0; i < waiters.size(); ++i) {
      EXPECT_EQ(waiters[i].wakes, i == cancelled ? 0 : 1);
    }
    load = take_load(cache.get(block(0), nullptr));
  }
}

TEST(CacheWait, CountsNoPinForACancelledWaiter) {
  BlockCache cache(small_config(1));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  EXPECT_TRUE(cache.cancel_wait(block(0), waiter));
  load.commit(0).release();
  EXPECT_EQ(cache.stats().slots_pinned, 0U);
}

TEST(CacheWait, RefusesToCancelWhatHasBeenWoken) {
  BlockCache cache(small_config(1));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  load.commit(0).release();
  EXPECT_FALSE(cache.cancel_wait(block(0), waiter));
  EXPECT_EQ(waiter.wakes, 1);
}

TEST(CacheWait, RefusesToCancelWhatIsJustBeingWoken) {
  // The first waiter runs while the second is taken out of the queue, but not yet woken.
  struct Cancelling final : Waiter {
    void wake(Result<Pin>) noexcept override { cancelled = cache->cancel_wait(block(0), *other); }
    BlockCache* cache = nullptr;
    Waiter* other = nullptr;
    bool cancelled = true;
  };
  BlockCache cache(small_config(1));
  RecordingWaiter second;
  Cancelling first;
  first.cache = &cache;
  first.other = &second;
  Load load = take_load(cache.get(block(0), nullptr));
  (void)cache.get(block(0), &first);
  (void)cache.get(block(0), &second);
  load.commit(0).release();
  EXPECT_FALSE(first.cancelled);
  EXPECT_EQ(second.wakes, 1) << "whoever is refused is woken";
}

TEST(CacheWait, TurnsReadaheadIntoAReadWhenSomebodyWaitsForIt) {
  // Slot 0 of the tiny cache is loaded by readahead but wanted before it arrives. If it still
  // counted as unread, the blocks below could not push it out.
  BlockCache cache(small_config(4));
  Load load = take_load(cache.get(block(0), nullptr, Access::kReadahead));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  load.commit(0).release();
  waiter.last.reset();
  for (std::uint64_t i = 1; i < 5; ++i) put(cache, block(i), "x");
  EXPECT_FALSE(cache.peek(block(0)));
}

TEST(CacheWaitDeathTest, EndsTheProcessWhenAWaiterWaitsTwice) {
  BlockCache cache(small_config(2));
  Load first = take_load(cache.get(block(0), nullptr));
  Load second = take_load(cache.get(block(1), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  EXPECT_DEATH((void)cache.get(block(1), &waiter), "internal error");
  EXPECT_TRUE(cache.cancel_wait(block(0), waiter));
}

TEST(CacheWaitDeathTest, EndsTheProcessWhenAWaiterDiesInTheQueue) {
  const auto die = [] {
    BlockCache cache(small_config(2));
    Load load = take_load(cache.get(block(0), nullptr));
    RecordingWaiter waiter;
    (void)cache.get(block(0), &waiter);
  };
  EXPECT_DEATH(die(), "internal error");
}

}  // namespace
}  // namespace sftpfs::cache
