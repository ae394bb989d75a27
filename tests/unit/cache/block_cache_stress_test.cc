// More threads than slots, every operation at once. Blocks describe themselves, so that a wrong
// byte shows; every answer is counted, so that a lost one shows.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

constexpr std::uint64_t kKeys = 12;
constexpr std::size_t kBlockBytes = 512;
constexpr std::size_t kWords = kBlockBytes / sizeof(std::uint64_t);

std::uint64_t word_of(std::uint64_t number, std::uint64_t version, std::size_t index) {
  return mix_bits(number * 1000 + index) ^ version;
}

// The first word tells the version, each other must fit to it.
void describe(MutableByteSpan buffer, std::uint64_t number, std::uint64_t version) {
  std::array<std::uint64_t, kWords> words{};
  words[0] = version;
  for (std::size_t i = 1; i < kWords; ++i) words[i] = word_of(number, version, i);
  std::memcpy(buffer.data(), words.data(), kBlockBytes);
}

struct Shared {
  explicit Shared(std::size_t slot_count, std::size_t shard_count)
      : cache({.slot_size_bytes = kBlockBytes,
               .slot_count = slot_count,
               .shard_count = shard_count}) {}

  BlockCache cache;
  // Content of a block changes by raising its version and then dooming it; `settled` follows
  // after the doom. Whoever asks after that must see it.
  std::array<std::atomic<std::uint64_t>, kKeys> version{};
  std::array<std::atomic<std::uint64_t>, kKeys> settled{};
  std::array<std::atomic<int>, kKeys> loaders{};
  std::atomic<std::uint64_t> gets{0}, hits{0}, loads{0}, waits{0}, busy{0};
  std::atomic<std::uint64_t> wakes{0}, cancels{0}, wrong{0}, stale{0}, double_loads{0};
  std::mutex mutex;
  std::condition_variable woken;
};

void verify(Shared& shared, const Pin& pin, std::uint64_t number, std::uint64_t version_min) {
  std::array<std::uint64_t, kWords> words{};
  if (pin.bytes().size() != kBlockBytes) {
    ++shared.wrong;
    return;
  }
  std::memcpy(words.data(), pin.bytes().data(), kBlockBytes);
  for (std::size_t i = 1; i < kWords; ++i) {
    if (words[i] != word_of(number, words[0], i)) ++shared.wrong;
  }
  if (words[0] < version_min) ++shared.stale;
}

class CountingWaiter final : public Waiter {
 public:
  CountingWaiter(Shared& shared, std::uint64_t number, std::uint64_t version_min)
      : number_(number), shared_(shared), version_min_(version_min) {}

  void wake(Result<Pin> outcome) noexcept override {
    if (outcome) verify(shared_, *outcome, number_, version_min_);
    outcome = fail(ErrorCode::kShutdown);  // lets go of the pin before the owner goes on
    Shared& shared = shared_;
    ++shared.wakes;
    const std::lock_guard lock(shared.mutex);
    done_.store(true);  // the owner may destroy this from now on
    shared.woken.notify_all();
  }
  bool done() const { return done_.load(); }
  std::uint64_t number() const { return number_; }

 private:
  std::uint64_t number_;
  Shared& shared_;
  std::uint64_t version_min_;
  std::atomic<bool> done_{false};
};

// One thread. It never waits for another: what it cannot have now, it comes back for.
class Actor {
 public:
  Actor(Shared& shared, std::uint64_t seed, bool single_flight_exact)
      : shared_(shared), random_(seed), exact_(single_flight_exact) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    while (!loads_.empty()) end_load();
    pins_.clear();
    await_waiters();
  }

 private:
  struct Filling {
    Load load;
    std::uint64_t number;
  };

  void step() {
    const std::uint64_t number = random_.below(kKeys);
    if (waiters_.size() < 4) ask(number, random_.chance(4) ? Access::kReadahead : Access::kRead);
    if (loads_.size() > 1 || (!loads_.empty() && random_.chance(2))) end_load();
    if (pins_.size() > 1 || (!pins_.empty() && random_.chance(2))) pins_.erase(pins_.begin());
    std::erase_if(waiters_, [](const auto& waiter) { return waiter->done(); });
    if (!waiters_.empty() && random_.chance(8)) cancel();
    if (random_.chance(4)) std::this_thread::yield();
  }

  void ask(std::uint64_t number, Access access) {
    const std::uint64_t version_min = shared_.settled[number].load();
    auto waiter = std::make_unique<CountingWaiter>(shared_, number, version_min);
    Lookup lookup = shared_.cache.get(block(number), waiter.get(), access);
    ++shared_.gets;
    if (is_pin(lookup)) {
      if (access == Access::kRead) ++shared_.hits;
      Pin pin = std::get<Pin>(std::move(lookup));
      verify(shared_, pin, number, version_min);
      pins_.push_back(std::move(pin));
    } else if (is_load(lookup)) {
      ++shared_.loads;
      if (shared_.loaders[number].fetch_add(1) != 0 && exact_) ++shared_.double_loads;
      loads_.push_back({std::get<Load>(std::move(lookup)), number});
      describe(loads_.back().load.buffer(), number, shared_.version[number].load());
    } else if (is_waiting(lookup)) {
      ++shared_.waits;
      waiters_.push_back(std::move(waiter));
    } else {
      ++shared_.busy;
    }
  }

  void end_load() {
    Filling filling = std::move(loads_.front());
    loads_.erase(loads_.begin());
    --shared_.loaders[filling.number];  // before the end: after it another load may begin
    if (random_.chance(6)) {
      filling.load.abandon(Error(ErrorCode::kTimedOut));
    } else if (random_.chance(6)) {
      filling.load = Load();
    } else {
      pins_.push_back(filling.load.commit(kBlockBytes));
    }
  }

  void cancel() {
    CountingWaiter& waiter = *waiters_.front();
    if (!shared_.cache.cancel_wait(block(waiter.number()), waiter)) return;
    ++shared_.cancels;
    if (waiter.done()) ++shared_.wrong;
    waiters_.erase(waiters_.begin());
  }

  // All loaders end their loads without waiting for anybody, so this ends soon or a wake is lost.
  void await_waiters() {
    for (const auto& waiter : waiters_) {
      std::unique_lock lock(shared_.mutex);
      const bool done =
          shared_.woken.wait_for(lock, std::chrono::seconds(120), [&] { return waiter->done(); });
      SFTPFS_CHECK(done);
    }
    waiters_.clear();
  }

  Shared& shared_;
  Random random_;
  bool exact_;
  std::vector<Pin> pins_;
  std::vector<Filling> loads_;
  std::vector<std::unique_ptr<CountingWaiter>> waiters_;
};

void doom_repeatedly(Shared& shared, std::uint64_t seed, int rounds) {
  Random random(seed);
  for (int i = 0; i < rounds; ++i) {
    const std::uint64_t number = random.below(kKeys);
    const std::uint64_t version = ++shared.version[number];
    if (random.chance(4)) {
      shared.cache.doom_range(1, 1, number, random.chance(2) ? number + 1 : UINT64_MAX);
    } else {
      shared.cache.doom(block(number));
    }
    // Several may doom one block; the highest version that has been doomed counts.
    std::uint64_t settled = shared.settled[number].load();
    while (settled < version && !shared.settled[number].compare_exchange_weak(settled, version)) {
    }
    (void)shared.cache.stats();
    std::this_thread::yield();
  }
}

void expect_sound(const Shared& shared, std::uint64_t actors, int steps) {
  const CacheStats stats = shared.cache.stats();
  EXPECT_EQ(shared.wrong, 0U);
  EXPECT_EQ(shared.stale, 0U) << "a block was served after its doom";
  EXPECT_EQ(shared.double_loads, 0U);
  EXPECT_EQ(shared.waits, shared.wakes + shared.cancels) << "each wait ends exactly once";
  EXPECT_EQ(stats.loads, shared.loads);
  EXPECT_EQ(stats.waits, shared.waits);
  EXPECT_EQ(stats.busy, shared.busy);
  EXPECT_EQ(stats.hits, shared.hits);
  EXPECT_EQ(stats.slots_pinned, 0U);
  EXPECT_GT(shared.gets, actors * static_cast<std::uint64_t>(steps) / 4);
  shared.cache.check_invariants();
}

void run_actors(Shared& shared, std::uint64_t actors, std::uint64_t doomers, int steps) {
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < actors; ++i) {
    threads.emplace_back(
        [&shared, i, steps, exact = doomers == 0] { Actor(shared, 100 + i, exact).run(steps); });
  }
  for (std::uint64_t i = 0; i < doomers; ++i) {
    threads.emplace_back([&shared, i, steps] { doom_repeatedly(shared, 200 + i, steps); });
  }
  for (std::thread& thread : threads) thread.join();
  expect_sound(shared, actors, steps);
}

constexpr int kSteps = 4000;

TEST(CacheStress, ServesMoreThreadsThanSlotsWithoutAWrongByteOrALostWake) {
  Shared shared(4, 1);
  run_actors(shared, 8, 0, kSteps);
  EXPECT_GT(shared.busy, 0U) << "8 threads with up to 4 slots each must meet a full cache";
  EXPECT_GT(shared.waits, 0U);
  EXPECT_GT(shared.hits, 0U);
}

TEST(CacheStress, NeverServesADoomedBlockToWhoAsksLater) {
  Shared shared(4, 1);
  run_actors(shared, 6, 2, kSteps);
  EXPECT_GT(shared.cache.stats().dooms, 0U);
}

TEST(CacheStress, StaysSoundWithSeveralShards) {
  Shared shared(9, 3);
  run_actors(shared, 6, 2, kSteps);
}

TEST(CacheStress, AnswersEveryCallAtOnceWhileAllSlotsAreHeld) {
  Shared shared(4, 1);
  std::vector<Load> loads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    loads.push_back(take_load(shared.cache.get(block(i), nullptr)));
  }
  // No load ends before all threads have: a single blocking call would hang the test.
  std::atomic<int> answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 1000; ++i) {
        const Lookup lookup = shared.cache.get(block(i % kKeys), nullptr);
        if (i % kKeys < 4 ? is_loading(lookup) : is_busy(lookup)) ++answers;
        if (shared.cache.peek(block(i % kKeys))) --answers;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers, 8 * 1000);
}

TEST(CacheStress, DecidesEveryRaceOfCancelAndCommitOnce) {
  constexpr int kRounds = 2000;
  Shared shared(1, 1);
  std::atomic<int> round{0};
  std::atomic<int> arrived{0};
  std::vector<Load> load(1);
  std::thread filler([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round.load() < i) std::this_thread::yield();
      (void)load[0].commit(0);
      arrived.store(i);
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    // A block of its own each time, loaded here, filled there, and cancelled here meanwhile.
    const BlockKey key = block(static_cast<std::uint64_t>(i));
    RecordingWaiter waiter;
    load[0] = take_load(shared.cache.get(key, nullptr));
    EXPECT_TRUE(is_waiting(shared.cache.get(key, &waiter)));
    round.store(i);
    const bool cancelled = shared.cache.cancel_wait(key, waiter);
    while (arrived.load() < i) std::this_thread::yield();
    EXPECT_EQ(waiter.wakes, cancelled ? 0 : 1);
  }
  filler.join();
}

}  // namespace
}  // namespace sftpfs::cache
