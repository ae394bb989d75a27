// Promises of doom(): unreachable at once, freed with the last user, nobody forgotten.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

TEST(CacheDoom, FreesAnUnpinnedBlockAtOnce) {
  BlockCache cache(small_config(2));
  put(cache, block(0), "old");
  cache.doom(block(0));
  EXPECT_FALSE(cache.peek(block(0)));
  EXPECT_EQ(cache.stats().slots_used, 0U);
  cache.check_invariants();
}

TEST(CacheDoom, LeavesAPinnedBlockToItsPinsAndThenFreesIt) {
  BlockCache cache(small_config(2));
  Pin first = commit_text(take_load(cache.get(block(0), nullptr)), "old");
  Pin second = take_pin(cache.get(block(0), nullptr));
  cache.doom(block(0));
  EXPECT_FALSE(cache.peek(block(0)));
  EXPECT_EQ(text_of(first), "old");
  first.release();
  EXPECT_EQ(cache.stats().slots_used, 1U);
  EXPECT_EQ(text_of(second), "old");
  cache.check_invariants();
  second.release();
  EXPECT_EQ(cache.stats().slots_used, 0U);
}

TEST(CacheDoom, GivesANewLoadAtOnceBesideAPinnedOldBlock) {
  BlockCache cache(small_config(2));
  const Pin old_block = commit_text(take_load(cache.get(block(0), nullptr)), "old");
  cache.doom(block(0));
  put(cache, block(0), "new");
  EXPECT_EQ(text_of(cache.peek(block(0))), "new");
  EXPECT_EQ(text_of(old_block), "old");
}

TEST(CacheDoom, CountsADoomedPinnedSlotAsTaken) {
  BlockCache cache(small_config(1));
  Pin pin = commit_text(take_load(cache.get(block(0), nullptr)), "old");
  cache.doom(block(0));
  EXPECT_TRUE(is_busy(cache.get(block(0), nullptr)));
  EXPECT_EQ(cache.stats().slots_pinned, 1U);
  pin.release();
  EXPECT_TRUE(is_load(cache.get(block(0), nullptr)));
}

TEST(CacheDoom, LetsADoomedLoadServeItsWaitersAndVanish) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  cache.doom(block(0));
  EXPECT_EQ(waiter.wakes, 0);
  Pin own = commit_text(std::move(load), "old");
  ASSERT_TRUE(waiter.woken_with_pin());
  EXPECT_EQ(waiter.text(), "old");
  EXPECT_EQ(text_of(own), "old");
  EXPECT_FALSE(cache.peek(block(0)));
  cache.check_invariants();
  own.release();
  EXPECT_EQ(cache.stats().slots_used, 1U);
  waiter.last.reset();
  EXPECT_EQ(cache.stats().slots_used, 0U);
}

TEST(CacheDoom, LetsADoomedLoadFailItsWaitersToo) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  cache.doom(block(0));
  load.abandon(Error(ErrorCode::kTimedOut));
  EXPECT_TRUE(waiter.woken_with(ErrorCode::kTimedOut));
  EXPECT_EQ(cache.stats().slots_used, 0U);
  cache.check_invariants();
}

TEST(CacheDoom, RunsANewLoadBesideADoomedOneWithoutMixingThem) {
  BlockCache cache(small_config(2));
  Load old_load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter old_waiter;
  (void)cache.get(block(0), &old_waiter);
  cache.doom(block(0));
  Load new_load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter new_waiter;
  EXPECT_TRUE(is_waiting(cache.get(block(0), &new_waiter)));

  commit_text(std::move(new_load), "new").release();
  ASSERT_TRUE(new_waiter.woken_with_pin());
  EXPECT_EQ(new_waiter.text(), "new");
  EXPECT_EQ(old_waiter.wakes, 0);
  commit_text(std::move(old_load), "old").release();
  ASSERT_TRUE(old_waiter.woken_with_pin());
  EXPECT_EQ(old_waiter.text(), "old");
  EXPECT_EQ(text_of(cache.peek(block(0))), "new") << "the late old load must not replace it";
  cache.check_invariants();
}

TEST(CacheDoom, CancelsTheWaitForADoomedLoad) {
  BlockCache cache(small_config(2));
  Load old_load = take_load(cache.get(block(0), nullptr));
  RecordingWaiter waiter;
  (void)cache.get(block(0), &waiter);
  cache.doom(block(0));
  Load new_load = take_load(cache.get(block(0), nullptr));
  EXPECT_TRUE(cache.cancel_wait(block(0), waiter));
  old_load.commit(0).release();
  new_load.commit(0).release();
  EXPECT_EQ(waiter.wakes, 0);
}

TEST(CacheDoom, DoomsTheSameBlockAsOftenAsItComesBack) {
  BlockCache cache(small_config(4));
  std::vector<Load> loads;
  for (int i = 0; i < 4; ++i) {
    loads.push_back(take_load(cache.get(block(0), nullptr)));
    cache.doom(block(0));
    cache.doom(block(0));
  }
  EXPECT_EQ(cache.stats().dooms, 4U);
  EXPECT_TRUE(is_busy(cache.get(block(0), nullptr)));
  loads.clear();
  EXPECT_EQ(cache.stats().slots_used, 0U);
}

TEST(CacheDoom, DoomsARangeWithBothEndsAndNothingElse) {
  for (const std::size_t shard_count : {1U, 4U}) {
    BlockCache cache(small_config(256, shard_count));
    for (std::uint64_t i = 0; i < 10; ++i) {
      put(cache, {1, 1, i}, "x");
      put(cache, {1, 2, i}, "x");
      put(cache, {2, 1, i}, "x");
    }
    cache.doom_range(1, 1, 3, 6);
    for (std::uint64_t i = 0; i < 10; ++i) {
      EXPECT_EQ(bool{cache.peek({1, 1, i})}, i < 3 || i > 6) << i;
      EXPECT_TRUE(cache.peek({1, 2, i}));
      EXPECT_TRUE(cache.peek({2, 1, i}));
    }
    EXPECT_EQ(cache.stats().dooms, 4U);
    cache.check_invariants();
  }
}

TEST(CacheDoom, DoomsAHugeRangeWithoutWalkingIt) {
  // 2^64 blocks: this test would never end if the range were walked.
  BlockCache cache(small_config(64, 4));
  for (std::uint64_t i = 0; i < 8; ++i) put(cache, {1, 1, i << 60}, "x");
  put(cache, {2, 1, 0}, "x");
  cache.doom_range(1, 1, 1, UINT64_MAX);
  EXPECT_EQ(cache.stats().dooms, 7U);
  cache.doom_range(1, 1, 0, UINT64_MAX);
  EXPECT_EQ(cache.stats().dooms, 8U);
  EXPECT_TRUE(cache.peek({2, 1, 0}));
}

TEST(CacheDoom, DoomsTheLastBlocksThereCanBe) {
  BlockCache cache(small_config(8));
  put(cache, block(UINT64_MAX), "x");
  put(cache, block(UINT64_MAX - 1), "x");
  cache.doom_range(1, 1, UINT64_MAX - 1, UINT64_MAX);
  EXPECT_EQ(cache.stats().slots_used, 0U);
}

TEST(CacheDoom, TakesAnEmptyRangeForNothing) {
  BlockCache cache(small_config(8));
  put(cache, block(5), "x");
  cache.doom_range(1, 1, 6, 4);
  EXPECT_TRUE(cache.peek(block(5)));
}

TEST(CacheDoom, DoomsPinnedAndLoadingBlocksOfARange) {
  BlockCache cache(small_config(4));
  Pin pin = commit_text(take_load(cache.get(block(0), nullptr)), "old");
  Load load = take_load(cache.get(block(1), nullptr));
  put(cache, block(2), "old");
  cache.doom_range(1, 1, 0, UINT64_MAX);
  cache.check_invariants();
  load.commit(0).release();
  pin.release();
  EXPECT_EQ(cache.stats().slots_used, 0U);
  EXPECT_EQ(cache.stats().dooms, 3U);
}

TEST(CacheDoom, ForgetsContentNotPopularity) {
  // Block 0 leaves as a ghost; a doom between must neither crash on it nor bring it back.
  BlockCache cache(small_config(2));
  for (std::uint64_t i = 0; i < 3; ++i) put(cache, block(i), "x");
  ASSERT_FALSE(cache.peek(block(0)));
  cache.doom(block(0));
  cache.doom_range(1, 1, 0, 0);
  EXPECT_EQ(cache.stats().dooms, 0U);
  put(cache, block(0), "y");
  EXPECT_EQ(text_of(cache.peek(block(0))), "y");
  cache.check_invariants();
}

}  // namespace
}  // namespace sftpfs::cache
