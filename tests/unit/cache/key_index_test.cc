// Promises of KeyIndex, against std::map.
#include "cache/key_index.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

TEST(KeyIndex, FindsNothingWhenEmpty) {
  EXPECT_EQ(KeyIndex(0).find({0, 0, 0}), kNoNode);
  EXPECT_EQ(KeyIndex(4).find({0, 0, 0}), kNoNode);
}

TEST(KeyIndex, TellsKeysApartByEachOfTheirParts) {
  KeyIndex index(4);
  index.insert(0, {1, 2, 3});
  index.insert(1, {1, 2, 4});
  index.insert(2, {1, 3, 3});
  index.insert(3, {2, 2, 3});
  EXPECT_EQ(index.find({1, 2, 3}), 0U);
  EXPECT_EQ(index.find({1, 2, 4}), 1U);
  EXPECT_EQ(index.find({1, 3, 3}), 2U);
  EXPECT_EQ(index.find({2, 2, 3}), 3U);
  EXPECT_EQ(index.find({3, 2, 1}), kNoNode);
}

TEST(KeyIndex, KeepsTheKeyOfAnErasedNodeReadable) {
  KeyIndex index(1);
  index.insert(0, {1, 2, 3});
  index.erase(0);
  EXPECT_FALSE(index.contains(0));
  EXPECT_EQ(index.find({1, 2, 3}), kNoNode);
  EXPECT_EQ(index.key_of(0), (BlockKey{1, 2, 3}));
}

TEST(KeyIndex, AgreesWithAMapThroughRandomChanges) {
  constexpr NodeId kNodes = 37;
  KeyIndex index(kNodes);
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, NodeId> reference;
  std::map<NodeId, BlockKey> keys;
  Random random(1);
  for (int step = 0; step < 20000; ++step) {
    const BlockKey key{random.below(3), random.below(3), random.below(12)};
    const auto node = static_cast<NodeId>(random.below(kNodes));
    const auto found = reference.find({key.inode, key.generation, key.block});
    ASSERT_EQ(index.find(key), found == reference.end() ? kNoNode : found->second);
    ASSERT_EQ(index.contains(node), keys.contains(node));
    if (keys.contains(node)) {
      const BlockKey old = keys[node];
      index.erase(node);
      keys.erase(node);
      reference.erase({old.inode, old.generation, old.block});
    } else if (found == reference.end()) {
      index.insert(node, key);
      keys[node] = key;
      reference[{key.inode, key.generation, key.block}] = node;
    }
    ASSERT_EQ(index.size(), keys.size());
  }
}

TEST(KeyIndex, SpreadsTheBlocksOfFilesEvenly) {
  // The blocks of a few files over 64 buckets: no bucket may collect several times its share.
  std::vector<int> buckets(64);
  for (std::uint64_t inode = 0; inode < 16; ++inode) {
    for (std::uint64_t number = 0; number < 64; ++number) {
      ++buckets[hash_key(inode, 0, number) % buckets.size()];
    }
  }
  for (const int count : buckets) EXPECT_LE(count, 3 * 16);
}

TEST(KeyIndexDeathTest, RefusesASecondKeyForANode) {
  KeyIndex index(2);
  index.insert(0, {1, 1, 1});
  EXPECT_DEATH(index.insert(0, {1, 1, 2}), "internal error");
  EXPECT_DEATH(index.erase(1), "internal error");
}

}  // namespace
}  // namespace sftpfs::cache
