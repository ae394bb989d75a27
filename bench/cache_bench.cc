// What a block cache lookup costs: hits by one and by several threads, and the whole way of a miss
// through load, commit and eviction. No data are copied: only the cache's own work is measured.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <utility>
#include <variant>

#include "cache/block_cache.h"

namespace sftpfs::cache {
namespace {

constexpr std::uint64_t kBlocks = 256;  // half of the default slots: all of them stay

BlockKey key_of(std::uint64_t number) { return {42, 1, number}; }

void load(BlockCache& cache, std::uint64_t number) {
  Lookup lookup = cache.get(key_of(number), nullptr);
  if (Load* load = std::get_if<Load>(&lookup)) load->commit(1).release();
}

// A hit and the release of its pin. The threads start at different blocks and share all.
void BM_GetHit(benchmark::State& state) {
  static BlockCache cache{CacheConfig{}};
  if (state.thread_index() == 0) {
    for (std::uint64_t number = 0; number < kBlocks; ++number) load(cache, number);
  }
  std::uint64_t number = static_cast<std::uint64_t>(state.thread_index()) * 37;
  for (auto _ : state) {
    const Lookup lookup = cache.get(key_of(number++ % kBlocks), nullptr);
    if (!std::holds_alternative<Pin>(lookup)) state.SkipWithError("a miss");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetHit)->Threads(1)->Threads(2)->Threads(4)->UseRealTime();

// The worst case for the lock: all threads want one block.
void BM_GetHitSameBlock(benchmark::State& state) {
  static BlockCache cache{CacheConfig{}};
  if (state.thread_index() == 0) load(cache, 0);
  for (auto _ : state) {
    const Lookup lookup = cache.get(key_of(0), nullptr);
    if (!std::holds_alternative<Pin>(lookup)) state.SkipWithError("a miss");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetHitSameBlock)->Threads(1)->Threads(2)->UseRealTime();

// A stream through a full cache: each block is a miss that evicts another.
void BM_LoadCommitEvict(benchmark::State& state) {
  BlockCache cache{CacheConfig{}};
  std::uint64_t number = 0;
  while (cache.stats().evictions == 0) load(cache, number++);
  for (auto _ : state) load(cache, number++);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LoadCommitEvict);

// What a write of one block pays to make sure that the block is not cached.
void BM_DoomAbsent(benchmark::State& state) {
  BlockCache cache{CacheConfig{}};
  for (std::uint64_t number = 0; number < kBlocks; ++number) load(cache, number);
  std::uint64_t number = kBlocks;
  for (auto _ : state) {
    cache.doom_range(42, 1, number, number + 1);
    ++number;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DoomAbsent);

// A truncation to zero: the range is endless, the cost is that of looking at every slot.
void BM_DoomEndlessRange(benchmark::State& state) {
  BlockCache cache{CacheConfig{}};
  for (std::uint64_t number = 0; number < kBlocks; ++number) load(cache, number);
  for (auto _ : state) cache.doom_range(43, 1, 0, UINT64_MAX);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DoomEndlessRange);

}  // namespace
}  // namespace sftpfs::cache

BENCHMARK_MAIN();
