// Random sequences of every operation, each answer checked against a reference that knows what may
// and what must be in the cache. One seed, one sequence: a failure prints it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "unit/cache/cache_test_support.h"

namespace sftpfs::cache {
namespace {

constexpr std::uint64_t kKeys = 12;

// A load's content is its ticket number, written over a random length of at least eight bytes.
struct Content {
  std::uint64_t ticket = 0;
  std::size_t size_bytes = 0;
};

void expect_content(const Pin& pin, const Content& content) {
  ASSERT_TRUE(pin);
  ASSERT_EQ(pin.bytes().size(), content.size_bytes);
  std::uint64_t ticket = 0;
  std::memcpy(&ticket, pin.bytes().data(), sizeof(ticket));
  ASSERT_EQ(ticket, content.ticket);
}

class ModelTest {
 public:
  ModelTest(std::size_t slot_count, std::size_t shard_count, std::uint64_t seed)
      : cache_(small_config(slot_count, shard_count)), random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      step();
      check_counters();
      cache_.check_invariants();
    }
    finish();
  }

 private:
  struct Loading {
    Load load;
    std::uint64_t key = 0;
    Content content;
    bool doomed = false;
    std::vector<std::unique_ptr<RecordingWaiter>> waiters;
  };
  struct Held {
    Pin pin;
    std::uint64_t ticket = 0;
  };
  // What is known of a block that has been loaded. It may be evicted while nobody pins it, but
  // only when an eviction is counted.
  struct Resident {
    Content content;
    int pins = 0;
    bool doomed = false;
    std::uint64_t known_at_eviction = 0;
  };

  static BlockKey key_of(std::uint64_t number) { return {number % 2, 7, number / 2}; }

  void step() {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: get(random_.below(kKeys)); break;
      case 4: peek(random_.below(kKeys)); break;
      case 5:
      case 6: end_load(random_.chance(4)); break;
      case 7:
      case 8:
      case 9: release_pin(); break;
      case 10: cancel_a_wait(); break;
      default:
        if (random_.chance(3)) doom();
        break;
    }
  }

  void get(std::uint64_t number) {
    auto waiter = random_.chance(3) ? nullptr : std::make_unique<RecordingWaiter>();
    const Access access = random_.chance(4) ? Access::kReadahead : Access::kRead;
    const std::uint64_t evictions_before = cache_.stats().evictions;
    Lookup lookup = cache_.get(key_of(number), waiter.get(), access);
    evictions_ = cache_.stats().evictions;
    Loading* loading = find_loading(number);
    if (is_waiting(lookup) || is_loading(lookup)) {
      ASSERT_NE(loading, nullptr) << "nobody loads block " << number;
      ASSERT_EQ(is_waiting(lookup), waiter != nullptr);
      if (waiter != nullptr) loading->waiters.push_back(std::move(waiter));
      return;
    }
    ASSERT_EQ(loading, nullptr) << "block " << number << " has a loader already";
    if (is_pin(lookup)) {
      ASSERT_EQ(evictions_, evictions_before);
      accept_pin(number, std::get<Pin>(std::move(lookup)));
    } else if (is_load(lookup)) {
      accept_load(number, std::get<Load>(std::move(lookup)), evictions_ - evictions_before);
    } else {
      ASSERT_EQ(evictions_, evictions_before);
      ASSERT_FALSE(must_be_there(number));
      if (one_shard()) {
        ASSERT_EQ(taken(), cache_.config().slot_count);
      }
    }
  }

  void accept_load(std::uint64_t number, Load load, std::uint64_t evicted) {
    ASSERT_FALSE(must_be_there_before_eviction(number, evicted))
        << "block " << number << " was lost without need";
    ASSERT_LT(taken(), cache_.config().slot_count);
    if (one_shard()) {
      ASSERT_EQ(evicted == 1, used_ == cache_.config().slot_count);
    }
    used_ += 1 - evicted;
    current_.erase(number);
    Loading loading;
    loading.content = {++tickets_, 8 + random_.below(57)};
    std::memcpy(load.buffer().data(), &loading.content.ticket, sizeof(std::uint64_t));
    loading.load = std::move(load);
    loading.key = number;
    loadings_.push_back(std::move(loading));
  }

  void accept_pin(std::uint64_t number, Pin pin) {
    ASSERT_TRUE(current_.contains(number)) << "block " << number << " should not be there";
    Resident& resident = residents_[current_[number]];
    expect_content(pin, resident.content);
    resident.known_at_eviction = evictions_;
    hold(std::move(pin), resident);
  }

  void hold(Pin pin, Resident& resident) {
    ++resident.pins;
    held_.push_back({std::move(pin), resident.content.ticket});
  }

  void peek(std::uint64_t number) {
    Pin pin = cache_.peek(key_of(number));
    if (pin) {
      accept_pin(number, std::move(pin));
    } else {
      ASSERT_FALSE(must_be_there(number));
    }
  }

  void end_load(bool fail_it) {
    if (loadings_.empty()) return;
    Loading loading = take(loadings_);
    if (fail_it) {
      const bool drop = random_.chance(2);
      if (drop) {
        loading.load = Load();
      } else {
        loading.load.abandon(Error(ErrorCode::kTimedOut));
      }
      for (const auto& waiter : loading.waiters) {
        ASSERT_TRUE(waiter->woken_with(drop ? ErrorCode::kBusy : ErrorCode::kTimedOut));
      }
      --used_;
      return;
    }
    Resident& resident = residents_[loading.content.ticket];
    resident = {loading.content, 0, loading.doomed, evictions_};
    if (!loading.doomed) current_[loading.key] = loading.content.ticket;
    hold(loading.load.commit(loading.content.size_bytes), resident);
    expect_content(held_.back().pin, loading.content);
    for (const auto& waiter : loading.waiters) {
      ASSERT_TRUE(waiter->woken_with_pin());
      expect_content(**waiter->last, loading.content);
      hold(std::move(**waiter->last), resident);
    }
  }

  void release_pin() {
    if (held_.empty()) return;
    Held held = take(held_);
    expect_content(held.pin, residents_[held.ticket].content);
    held.pin.release();
    Resident& resident = residents_[held.ticket];
    if (--resident.pins == 0 && resident.doomed) --used_;
    resident.known_at_eviction = evictions_;
  }

  void cancel_a_wait() {
    if (loadings_.empty()) return;
    Loading& loading = loadings_[random_.below(loadings_.size())];
    if (loading.waiters.empty()) return;
    const std::unique_ptr<RecordingWaiter> waiter = take(loading.waiters);
    ASSERT_TRUE(cache_.cancel_wait(key_of(loading.key), *waiter));
    ASSERT_FALSE(cache_.cancel_wait(key_of(loading.key), *waiter));
    ASSERT_EQ(waiter->wakes, 0);
  }

  void doom() {
    const std::uint64_t inode = random_.below(2);
    const std::uint64_t first = random_.below(kKeys / 2);
    const std::uint64_t last = random_.chance(3) ? UINT64_MAX : first + random_.below(3);
    const std::uint64_t dooms_before = cache_.stats().dooms;
    if (first == last) {
      cache_.doom({inode, 7, first});
    } else {
      cache_.doom_range(inode, 7, first, last);
    }
    std::uint64_t certain = 0;
    std::uint64_t freed_at_most = 0;
    for (std::uint64_t number = inode; number < kKeys; number += 2) {
      if (number / 2 >= first && number / 2 <= last) doom_one(number, certain, freed_at_most);
    }
    const std::uint64_t doomed = cache_.stats().dooms - dooms_before;
    ASSERT_GE(doomed, certain);
    ASSERT_LE(doomed, certain + freed_at_most);
    used_ -= doomed - certain;
  }

  // Blocks that are pinned or loading are certainly doomed and stay for now; others are freed, if
  // they were still there.
  void doom_one(std::uint64_t number, std::uint64_t& certain, std::uint64_t& freed_at_most) {
    if (Loading* loading = find_loading(number)) {
      loading->doomed = true;
      ++certain;
    } else if (current_.contains(number)) {
      Resident& resident = residents_[current_[number]];
      resident.doomed = true;
      ++(resident.pins > 0 ? certain : freed_at_most);
    }
    current_.erase(number);
  }

  void check_counters() {
    const CacheStats stats = cache_.stats();
    ASSERT_EQ(stats.slots_used, used_);
    ASSERT_EQ(stats.slots_pinned, taken());
  }

  void finish() {
    while (!loadings_.empty()) end_load(false);
    while (!held_.empty()) release_pin();
    check_counters();
    EXPECT_EQ(cache_.stats().slots_pinned, 0U);
    cache_.doom_range(0, 7, 0, UINT64_MAX);
    cache_.doom_range(1, 7, 0, UINT64_MAX);
    EXPECT_EQ(cache_.stats().slots_used, 0U) << "a slot was lost";
  }

  bool one_shard() const { return cache_.shard_count() == 1; }

  bool must_be_there_before_eviction(std::uint64_t number, std::uint64_t evicted) {
    if (!current_.contains(number)) return false;
    const Resident& resident = residents_[current_[number]];
    return resident.pins > 0 || resident.known_at_eviction == evictions_ - evicted;
  }
  bool must_be_there(std::uint64_t number) { return must_be_there_before_eviction(number, 0); }

  // Slots that are pinned or loading.
  std::size_t taken() const {
    std::size_t count = loadings_.size();
    for (const auto& [ticket, resident] : residents_) count += resident.pins > 0 ? 1 : 0;
    return count;
  }

  Loading* find_loading(std::uint64_t number) {
    for (Loading& loading : loadings_) {
      if (loading.key == number && !loading.doomed) return &loading;
    }
    return nullptr;
  }

  template <class T>
  T take(std::vector<T>& from) {
    std::swap(from[random_.below(from.size())], from.back());
    T taken = std::move(from.back());
    from.pop_back();
    return taken;
  }

  BlockCache cache_;
  Random random_;
  std::vector<Loading> loadings_;
  std::vector<Held> held_;
  std::map<std::uint64_t, Resident> residents_;     // by ticket
  std::map<std::uint64_t, std::uint64_t> current_;  // key to ticket, while not doomed
  std::uint64_t tickets_ = 0;
  std::uint64_t evictions_ = 0;
  std::size_t used_ = 0;
};

struct Shape {
  std::size_t slot_count;
  std::size_t shard_count;
};

TEST(CacheModel, AgreesWithTheReferenceThroughRandomSequences) {
  constexpr std::array<Shape, 6> kShapes = {Shape{1, 1}, Shape{2, 1},  Shape{4, 1},
                                            Shape{8, 1}, Shape{16, 1}, Shape{8, 3}};
  for (const Shape& shape : kShapes) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(testing::Message() << shape.slot_count << " slots, " << shape.shard_count
                                      << " shards, seed " << seed);
      ModelTest(shape.slot_count, shape.shard_count, seed).run(1000);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace sftpfs::cache
