// What eviction is for: deterministic traces through a one-shard cache, counted beside plain LRU.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <unordered_map>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

constexpr std::size_t kSlots = 200;
constexpr std::uint64_t kScanBase = 1'000'000;  // blocks from here on belong to scans

class Lru {
 public:
  bool read(std::uint64_t number) {
    const auto found = where_.find(number);
    const bool hit = found != where_.end();
    if (hit) {
      order_.erase(found->second);
    } else if (order_.size() == kSlots) {
      where_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(number);
    where_[number] = order_.begin();
    return hit;
  }

 private:
  std::list<std::uint64_t> order_;
  std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> where_;
};

// True for a hit; a miss loads the block.
bool read(BlockCache& cache, std::uint64_t number, Access access = Access::kRead) {
  Lookup lookup = cache.get(block(number), nullptr, access);
  if (is_pin(lookup)) return true;
  take_load(std::move(lookup)).commit(1).release();
  return false;
}

// Block k is read with a probability proportional to 1 / (k + 1).
class Zipf {
 public:
  explicit Zipf(std::size_t count) {
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k)
      sums_.push_back(sum += 1.0 / static_cast<double>(k + 1));
  }
  std::uint64_t draw(Random& random) const {
    const double point = static_cast<double>(random.below(1U << 30)) / (1U << 30) * sums_.back();
    return static_cast<std::uint64_t>(std::upper_bound(sums_.begin(), sums_.end(), point) -
                                      sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

std::vector<std::uint64_t> zipf_trace(std::size_t length, std::size_t scan_every) {
  const Zipf zipf(2000);
  Random random(7);
  std::vector<std::uint64_t> trace;
  std::uint64_t scan_next = kScanBase;
  while (trace.size() < length) {
    trace.push_back(zipf.draw(random));
    if (scan_every != 0 && trace.size() % scan_every == 0) {
      for (std::size_t i = 0; i < 2 * kSlots; ++i) trace.push_back(scan_next++);
    }
  }
  return trace;
}

struct Hits {
  int cache = 0;
  int lru = 0;
};

Hits count_hits(const std::vector<std::uint64_t>& trace) {
  BlockCache cache(small_config(kSlots));
  Lru lru;
  Hits hits;
  for (const std::uint64_t number : trace) {
    hits.cache += read(cache, number) ? 1 : 0;
    hits.lru += lru.read(number) ? 1 : 0;
  }
  EXPECT_EQ(cache.stats().hits, static_cast<std::uint64_t>(hits.cache));
  cache.check_invariants();
  return hits;
}

TEST(Eviction, HitsMoreThanLruOnAPopularityTrace) {
  const Hits hits = count_hits(zipf_trace(50'000, 0));
  RecordProperty("cache_hits", hits.cache);
  RecordProperty("lru_hits", hits.lru);
  EXPECT_GT(hits.cache, hits.lru);
}

TEST(Eviction, HitsFarMoreThanLruWhenScansPassThrough) {
  const Hits hits = count_hits(zipf_trace(100'000, 1000));
  RecordProperty("cache_hits", hits.cache);
  RecordProperty("lru_hits", hits.lru);
  EXPECT_GT(hits.cache, hits.lru * 6 / 5);
}

// A working set of half the slots that has proved itself.
void warm_up(BlockCache& cache) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t number = 0; number < kSlots / 2; ++number) read(cache, number);
  }
}

int working_set_hits(BlockCache& cache) {
  int hits = 0;
  for (std::uint64_t number = 0; number < kSlots / 2; ++number) {
    if (cache.peek(block(number))) ++hits;
  }
  return hits;
}

TEST(Eviction, KeepsTheWholeWorkingSetThroughAScanOfTenCaches) {
  BlockCache cache(small_config(kSlots));
  warm_up(cache);
  for (std::uint64_t i = 0; i < 10 * kSlots; ++i) read(cache, kScanBase + i);
  EXPECT_EQ(working_set_hits(cache), static_cast<int>(kSlots / 2));
}

TEST(Eviction, KeepsTheWorkingSetThroughAScanInSmallPieces) {
  BlockCache cache(small_config(kSlots));
  warm_up(cache);
  for (std::uint64_t i = 0; i < 10 * kSlots; ++i) {
    for (int piece = 0; piece < 32; ++piece) read(cache, kScanBase + i);
    // A read that crosses the boundary comes back to the previous block.
    if (i > 0) read(cache, kScanBase + i - 1);
  }
  EXPECT_EQ(working_set_hits(cache), static_cast<int>(kSlots / 2));
}

TEST(Eviction, KeepsTheWorkingSetThroughAScanWithReadahead) {
  BlockCache cache(small_config(kSlots));
  warm_up(cache);
  constexpr std::uint64_t kWindow = kSlots / 4;
  for (std::uint64_t i = 0; i < 10 * kSlots; ++i) {
    read(cache, kScanBase + i + kWindow, Access::kReadahead);
    read(cache, kScanBase + i);
  }
  EXPECT_EQ(working_set_hits(cache), static_cast<int>(kSlots / 2));
}

// Everything is in main and popular; small has only its share left.
void fill_main(BlockCache& cache) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t number = 0; number < kSlots; ++number) read(cache, 2 * kScanBase + number);
  }
}

TEST(Eviction, RecognisesANewWorkingSetByItsGhosts) {
  // Five times as long as the small queue: only the ghosts can tell that it comes again.
  BlockCache cache(small_config(kSlots));
  fill_main(cache);
  warm_up(cache);
  for (std::uint64_t i = 0; i < 2 * kSlots; ++i) read(cache, kScanBase + i);
  EXPECT_EQ(working_set_hits(cache), static_cast<int>(kSlots / 2));
}

// Reads a stream with readahead; how many blocks had to be loaded when the reader came to them.
int late_loads(BlockCache& cache, std::uint64_t window, Access access) {
  int late = 0;
  for (std::uint64_t i = 0; i < 5 * kSlots; ++i) {
    read(cache, kScanBase + i + window, access);
    if (i >= window && !read(cache, kScanBase + i)) ++late;
  }
  return late;
}

TEST(Eviction, NeverLosesReadaheadOfHalfTheCacheBeforeItIsRead) {
  BlockCache cache(small_config(kSlots));
  fill_main(cache);
  EXPECT_EQ(late_loads(cache, kSlots / 2 - 1, Access::kReadahead), 0);
}

TEST(Eviction, WouldLoseReadaheadThatIsNotMarkedAsSuch) {
  BlockCache cache(small_config(kSlots));
  fill_main(cache);
  EXPECT_GT(late_loads(cache, kSlots / 2 - 1, Access::kRead), 0);
}

}  // namespace
}  // namespace sftpfs::cache
