// Promises of get(), peek(), Pin, Load, Busy, shards and statistics, without concurrency.
#include "cache/block_cache.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdint>
#include <set>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

TEST(Cache, GivesALoadOnceAndPinsAfterIt) {
  BlockCache cache(small_config(4));
  Pin loaded = commit_text(take_load(cache.get(block(0), nullptr)), "hello");
  EXPECT_EQ(text_of(loaded), "hello");
  const Pin found = take_pin(cache.get(block(0), nullptr));
  EXPECT_EQ(text_of(found), "hello");
  EXPECT_EQ(found.bytes().data(), loaded.bytes().data()) << "no copy";
}

TEST(Cache, OffersAWholePageAlignedSlotToTheLoader) {
  BlockCache cache({.slot_size_bytes = 128 * 1024, .slot_count = 3, .shard_count = 1});
  const auto page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::vector<Load> loads;
  for (std::uint64_t i = 0; i < 3; ++i) {
    loads.push_back(take_load(cache.get(block(i), nullptr)));
    EXPECT_EQ(loads.back().buffer().size(), 128U * 1024);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(loads.back().buffer().data()) % page_bytes, 0U);
  }
}

TEST(Cache, KeepsAnEmptyBlock) {
  BlockCache cache(small_config(2));
  put(cache, block(0), "");
  const Pin pin = take_pin(cache.get(block(0), nullptr));
  EXPECT_TRUE(pin);
  EXPECT_TRUE(pin.bytes().empty());
}

TEST(Cache, SeparatesInodesGenerationsAndBlocks) {
  BlockCache cache(small_config(8));
  put(cache, {1, 1, 1}, "a");
  for (const BlockKey& key : {BlockKey{2, 1, 1}, BlockKey{1, 2, 1}, BlockKey{1, 1, 2}}) {
    EXPECT_FALSE(cache.peek(key));
    EXPECT_TRUE(is_load(cache.get(key, nullptr)));
  }
}

TEST(Cache, EvictsWhenEverySlotIsUsedAndNotBefore) {
  BlockCache cache(small_config(4));
  for (std::uint64_t i = 0; i < 4; ++i) put(cache, block(i), "x");
  EXPECT_EQ(cache.stats().evictions, 0U);
  put(cache, block(4), "x");
  EXPECT_EQ(cache.stats().evictions, 1U);
  EXPECT_EQ(cache.stats().slots_used, 4U);
}

TEST(Cache, AnswersBusyWhenEverySlotIsPinned) {
  BlockCache cache(small_config(4));
  std::vector<Pin> pins;
  for (std::uint64_t i = 0; i < 4; ++i) {
    pins.push_back(commit_text(take_load(cache.get(block(i), nullptr)), "x"));
  }
  EXPECT_TRUE(is_busy(cache.get(block(9), nullptr)));
  EXPECT_TRUE(is_pin(cache.get(block(2), nullptr))) << "what is there is still found";
  pins[1].release();
  EXPECT_TRUE(is_load(cache.get(block(9), nullptr))) << "one unpinned slot is enough";
}

TEST(Cache, AnswersBusyWhenEverySlotIsLoading) {
  BlockCache cache(small_config(2));
  Load first = take_load(cache.get(block(0), nullptr));
  Load second = take_load(cache.get(block(1), nullptr));
  RecordingWaiter waiter;
  EXPECT_TRUE(is_busy(cache.get(block(2), &waiter)));
  EXPECT_FALSE(cache.cancel_wait(block(2), waiter)) << "busy enrols nobody";
  EXPECT_EQ(cache.stats().busy, 1U);
  first.abandon(Error(ErrorCode::kConnectionLost));
  EXPECT_TRUE(is_load(cache.get(block(2), nullptr)));
}

TEST(Cache, OfNoSlotsIsAlwaysBusy) {
  BlockCache cache(small_config(0));
  EXPECT_TRUE(is_busy(cache.get(block(0), nullptr)));
  EXPECT_FALSE(cache.peek(block(0)));
  cache.doom(block(0));
  cache.doom_range(1, 1, 0, UINT64_MAX);
  EXPECT_EQ(cache.stats().slots_used, 0U);
}

TEST(Cache, WorksWithASingleSlot) {
  BlockCache cache(small_config(1));
  for (std::uint64_t i = 0; i < 10; ++i) {
    put(cache, block(i % 3), "x");
    EXPECT_TRUE(cache.peek(block(i % 3)));
    cache.check_invariants();
  }
  EXPECT_EQ(cache.stats().evictions, 9U);
}

TEST(Cache, NeverEvictsOrChangesAPinnedBlock) {
  BlockCache cache(small_config(4));
  const Pin pin = commit_text(take_load(cache.get(block(0), nullptr)), "precious");
  for (std::uint64_t i = 1; i < 100; ++i) put(cache, block(i), "otherone");
  EXPECT_EQ(text_of(pin), "precious");
  EXPECT_EQ(text_of(take_pin(cache.get(block(0), nullptr))), "precious");
}

TEST(Cache, CountsPinsOfTheSameBlockSeparately) {
  BlockCache cache(small_config(1));
  Pin first = commit_text(take_load(cache.get(block(0), nullptr)), "x");
  Pin second = take_pin(cache.get(block(0), nullptr));
  first.release();
  EXPECT_TRUE(is_busy(cache.get(block(1), nullptr)));
  second.release();
  EXPECT_TRUE(is_load(cache.get(block(1), nullptr)));
}

TEST(Cache, PeeksWithoutLoadingWaitingOrCountingAMiss) {
  BlockCache cache(small_config(2));
  EXPECT_FALSE(cache.peek(block(0)));
  Load load = take_load(cache.get(block(0), nullptr));
  EXPECT_FALSE(cache.peek(block(0))) << "not there yet";
  commit_text(std::move(load), "x").release();
  EXPECT_TRUE(cache.peek(block(0)));
  const CacheStats stats = cache.stats();
  EXPECT_EQ(stats.loads, 1U);
  EXPECT_EQ(stats.waits, 0U);
  EXPECT_EQ(stats.hits, 1U);
}

TEST(Cache, FreesTheSlotOfAFailedLoad) {
  BlockCache cache(small_config(1));
  take_load(cache.get(block(0), nullptr)).abandon(Error(ErrorCode::kConnectionLost));
  EXPECT_EQ(cache.stats().slots_used, 0U);
  { Load dropped = take_load(cache.get(block(0), nullptr)); }
  EXPECT_EQ(cache.stats().slots_used, 0U);
  EXPECT_FALSE(cache.peek(block(0)));
  put(cache, block(0), "now");
  EXPECT_EQ(text_of(cache.peek(block(0))), "now");
}

TEST(Cache, MovesPinsAndLoadsWithoutLosingOrDoublingThem) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  Load moved = std::move(load);
  EXPECT_FALSE(load);  // NOLINT(bugprone-use-after-move): what a moved-from Load is
  EXPECT_TRUE(moved);
  Load other = take_load(cache.get(block(1), nullptr));
  other = std::move(moved);  // the load of block 1 is abandoned
  EXPECT_EQ(cache.stats().slots_used, 1U);

  Pin pin = commit_text(std::move(other), "x");
  Pin second = take_pin(cache.get(block(0), nullptr));
  second = std::move(pin);
  EXPECT_FALSE(pin);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(cache.stats().slots_pinned, 1U);
  second.release();
  second.release();
  EXPECT_EQ(cache.stats().slots_pinned, 0U);
}

TEST(Cache, ReadaheadThatFindsItsBlockIsNotAHit) {
  BlockCache cache(small_config(2));
  take_load(cache.get(block(0), nullptr, Access::kReadahead)).commit(1).release();
  EXPECT_TRUE(is_pin(cache.get(block(0), nullptr, Access::kReadahead)));
  EXPECT_EQ(cache.stats().hits, 0U);
  EXPECT_TRUE(is_pin(cache.get(block(0), nullptr)));
  EXPECT_EQ(cache.stats().hits, 1U);
}

TEST(Cache, UsesOneShardUntilThereAreSlotsForTwo) {
  const auto shards = [](std::size_t slot_count) {
    const BlockCache cache(small_config(slot_count, 0));
    EXPECT_EQ(cache.config().shard_count, cache.shard_count());
    return cache.shard_count();
  };
  EXPECT_EQ(shards(0), 1U);
  EXPECT_EQ(shards(1), 1U);
  EXPECT_EQ(shards(4), 1U);
  EXPECT_EQ(shards(127), 1U);
  EXPECT_EQ(shards(128), 2U);
  EXPECT_EQ(shards(512), 8U);
  EXPECT_EQ(shards(1'000'000), 16U);
}

TEST(Cache, NeverMakesMoreShardsThanSlots) {
  EXPECT_EQ(BlockCache(small_config(3, 100)).shard_count(), 3U);
  EXPECT_EQ(BlockCache(small_config(0, 100)).shard_count(), 1U);
}

TEST(Cache, GivesEverySlotToSomeShard) {
  BlockCache cache(small_config(11, 3));
  std::vector<Load> loads;
  std::set<const std::byte*> buffers;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    Lookup lookup = cache.get(block(i), nullptr);
    if (is_load(lookup)) loads.push_back(take_load(std::move(lookup)));
  }
  for (const Load& load : loads) buffers.insert(load.buffer().data());
  EXPECT_EQ(loads.size(), 11U);
  EXPECT_EQ(buffers.size(), 11U);
}

TEST(Cache, HoldsAStreamOfItsWholeSizeInAllShardsAtOnce) {
  BlockCache cache(small_config(512, 8));
  std::vector<Load> loads;
  // Aligned to the shards, a run fills each of them exactly: none is Busy before the last slot.
  for (std::uint64_t i = 0; i < 512; ++i) loads.push_back(take_load(cache.get(block(i), nullptr)));
  EXPECT_EQ(cache.stats().busy, 0U);
}

TEST(Cache, SpreadsAStrideOverItsShards) {
  BlockCache cache(small_config(512, 8));
  std::vector<Load> loads;
  for (std::uint64_t i = 0; i < 128; ++i) {
    Lookup lookup = cache.get(block(i * 8), nullptr);
    if (is_load(lookup)) loads.push_back(take_load(std::move(lookup)));
  }
  EXPECT_EQ(loads.size(), 128U) << "one shard alone has 64";
}

TEST(Cache, TellsTheUserWhenItsMemoryCannotBeHad) {
  const auto huge = BlockCache::create({.slot_size_bytes = SIZE_MAX / 2, .slot_count = 100});
  ASSERT_FALSE(huge);
  EXPECT_TRUE(huge.error().is(ErrorCode::kInvalid));
  EXPECT_FALSE(BlockCache::create({.slot_size_bytes = 0, .slot_count = 1}));
  EXPECT_FALSE(BlockCache::create({.slot_size_bytes = 1, .slot_count = SIZE_MAX}));
  const auto good = BlockCache::create(small_config(4));
  ASSERT_TRUE(good);
  EXPECT_EQ((*good)->config().slot_count, 4U);
}

TEST(Cache, CountsWhatHappened) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  EXPECT_TRUE(is_loading(cache.get(block(0), nullptr)));
  CacheStats stats = cache.stats();
  EXPECT_EQ(stats.waits, 1U);
  EXPECT_EQ(stats.slots_used, 1U);
  EXPECT_EQ(stats.slots_pinned, 1U);
  Pin pin = load.commit(0);
  EXPECT_EQ(cache.stats().slots_pinned, 1U);
  pin.release();
  put(cache, block(1), "x");
  put(cache, block(2), "x");
  cache.doom(block(2));
  cache.doom(block(77));
  stats = cache.stats();
  EXPECT_EQ(stats.loads, 3U);
  EXPECT_EQ(stats.evictions, 1U);
  EXPECT_EQ(stats.dooms, 1U);
  EXPECT_EQ(stats.slots_used, 1U);
  EXPECT_EQ(stats.slots_pinned, 0U);
}

TEST(CacheDeathTest, EndsTheProcessWhenAPinOutlivesIt) {
  const auto leak = [](bool commit) {
    auto cache = std::make_unique<BlockCache>(small_config(2));
    Load load = take_load(cache->get(block(0), nullptr));
    Pin pin = commit ? load.commit(0) : Pin();
    cache.reset();
  };
  EXPECT_DEATH(leak(true), "internal error");
  EXPECT_DEATH(leak(false), "internal error");
}

TEST(CacheDeathTest, EndsTheProcessWhenALoadClaimsMoreThanItsSlot) {
  BlockCache cache(small_config(2));
  Load load = take_load(cache.get(block(0), nullptr));
  EXPECT_DEATH(load.commit(65).release(), "internal error");
}

}  // namespace
}  // namespace sftpfs::cache
