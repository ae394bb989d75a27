// Promises of the eviction policy, queue by queue. A policy of 20 slots has a small queue of 2,
// and a hit is a new use when 1 other block has been used since the last one.
#include "cache/s3_fifo.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

using Queue = S3Fifo::Queue;

constexpr NodeId kCapacity = 20;

void add(S3Fifo& policy, NodeId slot, S3Fifo::Arrival arrival = {}) {
  policy.insert(slot, arrival);
  policy.unpin(slot);
}

void fill(S3Fifo& policy, NodeId first, NodeId count, S3Fifo::Arrival arrival = {}) {
  for (NodeId slot = first; slot < first + count; ++slot) add(policy, slot, arrival);
}

// Main: 0 to 17, small: 18 and 19.
S3Fifo with_full_main() {
  S3Fifo policy(kCapacity);
  fill(policy, 0, kCapacity - 2, {.returning = true});
  fill(policy, kCapacity - 2, 2);
  return policy;
}

TEST(S3Fifo, PutsNewBlocksOnProbationAndReturningOnesInMain) {
  S3Fifo policy(kCapacity);
  add(policy, 0);
  add(policy, 1, {.returning = true});
  add(policy, 2, {.ahead = true});
  add(policy, 3, {.returning = true, .ahead = true});
  EXPECT_EQ(policy.queue_of(0), Queue::kSmall);
  EXPECT_EQ(policy.queue_of(1), Queue::kMain);
  EXPECT_EQ(policy.queue_of(2), Queue::kAhead);
  EXPECT_EQ(policy.queue_of(3), Queue::kAhead);
}

TEST(S3Fifo, GivesUpUnusedBlocksInTheOrderTheyCame) {
  S3Fifo policy(kCapacity);
  fill(policy, 0, kCapacity);
  for (NodeId slot = 0; slot < kCapacity; ++slot) {
    const S3Fifo::Victim victim = policy.evict();
    EXPECT_EQ(victim.slot, slot);
    EXPECT_TRUE(victim.remember);
    policy.check_invariants();
  }
  EXPECT_EQ(policy.evictable(), 0U);
}

TEST(S3Fifo, TakesVictimsFromSmallWhileSmallHasItsShare) {
  S3Fifo policy = with_full_main();
  EXPECT_EQ(policy.evict().slot, 18U);
}

TEST(S3Fifo, TakesVictimsFromMainWhenSmallIsShort) {
  S3Fifo policy = with_full_main();
  policy.erase(18);
  const S3Fifo::Victim victim = policy.evict();
  EXPECT_EQ(victim.slot, 0U);
  EXPECT_FALSE(victim.remember) << "main leaves no ghosts";
}

TEST(S3Fifo, LetsAScanOfAnyLengthPassThroughSmall) {
  S3Fifo policy = with_full_main();
  for (int i = 0; i < 1000; ++i) {
    const NodeId slot = policy.evict().slot;
    ASSERT_GE(slot, 18U);
    add(policy, slot);
  }
  EXPECT_EQ(policy.queue_size(Queue::kMain), 18U);
}

TEST(S3Fifo, MovesABlockUsedAgainToMainInsteadOfEvictingIt) {
  S3Fifo policy = with_full_main();
  policy.hit(18);  // 19 was used since: this is a new use
  EXPECT_EQ(policy.evict().slot, 0U) << "18 was promoted and small fell below its share";
  EXPECT_EQ(policy.queue_of(18), Queue::kMain);
}

TEST(S3Fifo, CountsReadsWithinAMomentAsOneUse) {
  S3Fifo policy = with_full_main();
  for (int i = 0; i < 32; ++i) policy.hit(19);  // no other was used since
  EXPECT_EQ(policy.evict().slot, 18U);
  add(policy, 18);
  EXPECT_EQ(policy.evict().slot, 19U) << "a block read in 32 pieces was still read once";
}

TEST(S3Fifo, GivesABlockInMainOneMoreRoundPerUseUpToThree) {
  S3Fifo policy(3);
  fill(policy, 0, 3, {.returning = true});
  for (int i = 0; i < 50; ++i) {
    policy.hit(0);
    policy.hit(1);
  }
  // 2 was never used again: each eviction takes it, and costs 0 and 1 one round.
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(policy.evict().slot, 2U);
    add(policy, 2, {.returning = true});
  }
  EXPECT_EQ(policy.evict().slot, 2U);
  EXPECT_EQ(policy.evict().slot, 0U) << "three rounds are spent";
  EXPECT_EQ(policy.evict().slot, 1U);
}

TEST(S3Fifo, CountsManyReadsOfABlockInMainWithinAMomentAsOneUse) {
  S3Fifo policy(3);
  fill(policy, 0, 3, {.returning = true});
  for (int i = 0; i < 50; ++i) policy.hit(0);
  EXPECT_EQ(policy.evict().slot, 1U);
  EXPECT_EQ(policy.evict().slot, 2U);
  add(policy, 1, {.returning = true});
  EXPECT_EQ(policy.evict().slot, 0U) << "one use bought one round";
}

TEST(S3Fifo, NeverEvictsAPinnedSlotInAnyQueue) {
  S3Fifo policy(kCapacity);
  fill(policy, 0, 6, {.returning = true});
  fill(policy, 6, 6);
  fill(policy, 12, 8, {.ahead = true});
  for (const NodeId slot : {0U, 6U, 12U}) policy.pin(slot);
  std::set<NodeId> victims;
  while (policy.evictable() > 0) {
    victims.insert(policy.evict().slot);
    policy.check_invariants();
  }
  EXPECT_EQ(victims.size(), kCapacity - 3);
  for (const NodeId slot : {0U, 6U, 12U}) EXPECT_FALSE(victims.contains(slot));
}

TEST(S3Fifo, FindsTheOnlyUnpinnedSlotWhereverItIs) {
  for (NodeId only = 0; only < kCapacity; ++only) {
    S3Fifo policy(kCapacity);
    for (NodeId slot = 0; slot < kCapacity; ++slot) {
      policy.insert(slot, {.returning = slot % 3 == 0, .ahead = slot % 3 == 1});
      if (slot % 3 != 1) policy.hit(slot);
    }
    policy.unpin(only);
    EXPECT_EQ(policy.evict().slot, only);
    policy.check_invariants();
  }
}

TEST(S3Fifo, KeepsReadaheadUntilItIsReadHoweverFarAheadItRuns) {
  S3Fifo policy(kCapacity);
  fill(policy, 0, 10, {.returning = true});
  fill(policy, 10, 10, {.ahead = true});
  for (int i = 0; i < 8; ++i) policy.evict();
  EXPECT_EQ(policy.queue_size(Queue::kAhead), 10U);
}

TEST(S3Fifo, HoldsReadaheadToHalfOfTheSlots) {
  S3Fifo policy(kCapacity);
  fill(policy, 0, 9, {.returning = true});
  fill(policy, 9, 11, {.ahead = true});
  const S3Fifo::Victim victim = policy.evict();
  EXPECT_EQ(victim.slot, 9U);
  EXPECT_FALSE(victim.remember) << "nobody ever asked for it";
}

TEST(S3Fifo, CountsTheFirstReadOfReadaheadAsItsFirstUse) {
  S3Fifo policy(kCapacity);
  add(policy, 0, {.ahead = true});
  add(policy, 1, {.returning = true, .ahead = true});
  policy.hit(0);
  policy.hit(0);
  policy.hit(1);
  EXPECT_EQ(policy.queue_of(0), Queue::kSmall);
  EXPECT_EQ(policy.queue_of(1), Queue::kMain);
}

TEST(S3Fifo, DropsReadaheadThatNobodyWantedFirst) {
  S3Fifo policy = with_full_main();
  policy.erase(18);
  add(policy, 18, {.ahead = true});
  int evictions = 0;
  for (NodeId victim = kNoNode; victim != 18; ++evictions) {
    ASSERT_LT(evictions, 1000);
    victim = policy.evict().slot;
    if (victim != 18) add(policy, victim);
  }
  EXPECT_GT(evictions, 2 * static_cast<int>(kCapacity)) << "a slow reader must get its chance";
}

TEST(S3Fifo, ReusesTheOldestGhostFirstAndForgottenOnesBeforeIt) {
  S3Fifo policy(3);
  EXPECT_EQ(policy.remember(), 3U);
  EXPECT_EQ(policy.remember(), 4U);
  EXPECT_EQ(policy.remember(), 5U);
  EXPECT_EQ(policy.remember(), 3U) << "as many ghosts as slots";
  policy.forget(5);
  EXPECT_EQ(policy.remember(), 5U);
  EXPECT_EQ(policy.remember(), 4U);
  policy.check_invariants();
}

TEST(S3Fifo, WorksWithOneSlotAndWithNone) {
  S3Fifo one(1);
  for (int i = 0; i < 5; ++i) {
    add(one, 0, {.returning = i % 2 == 0, .ahead = i % 3 == 0});
    one.hit(0);
    EXPECT_EQ(one.evict().slot, 0U);
    one.check_invariants();
  }
  EXPECT_EQ(S3Fifo(0).evictable(), 0U);
}

TEST(S3Fifo, StaysConsistentThroughRandomSequences) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    const auto capacity = static_cast<NodeId>(1 + random.below(40));
    S3Fifo policy(capacity);
    std::set<NodeId> unused;
    for (NodeId slot = 0; slot < capacity; ++slot) unused.insert(slot);
    for (int step = 0; step < 800; ++step) {
      const auto slot = static_cast<NodeId>(random.below(capacity));
      const std::uint64_t action = random.below(6);
      if (unused.contains(slot)) {
        policy.insert(slot, {.returning = random.chance(3), .ahead = random.chance(3)});
        unused.erase(slot);
      } else if (action == 0) {
        policy.erase(slot);
        unused.insert(slot);
      } else if (action == 1 && policy.evictable() > 0) {
        const S3Fifo::Victim victim = policy.evict();
        ASSERT_FALSE(unused.contains(victim.slot));
        ASSERT_FALSE(policy.pinned(victim.slot));
        if (victim.remember && random.chance(2)) policy.forget(policy.remember());
        if (victim.remember) policy.remember();
        unused.insert(victim.slot);
      } else if (action < 4) {
        policy.hit(slot);
      } else if (policy.pinned(slot)) {
        policy.unpin(slot);
      } else {
        policy.pin(slot);
      }
      policy.check_invariants();
    }
  }
}

}  // namespace
}  // namespace sftpfs::cache
