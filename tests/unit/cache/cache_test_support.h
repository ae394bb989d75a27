// Helpers of the cache tests: a waiter that records, short names for what a lookup yields, and
// blocks that describe themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "cache/block_cache.h"

namespace sftpfs::cache {

// How often it was woken, and with what. For tests of one thread.
class RecordingWaiter final : public Waiter {
 public:
  void wake(Result<Pin> outcome) noexcept override {
    ++wakes;
    last.emplace(std::move(outcome));
  }
  bool woken_with_pin() const { return wakes == 1 && last->has_value(); }
  bool woken_with(ErrorCode code) const {
    return wakes == 1 && !last->has_value() && last->error().is(code);
  }
  std::string_view text() const;

  int wakes = 0;
  std::optional<Result<Pin>> last;
};

inline bool is_pin(const Lookup& lookup) { return std::holds_alternative<Pin>(lookup); }
inline bool is_load(const Lookup& lookup) { return std::holds_alternative<Load>(lookup); }
inline bool is_waiting(const Lookup& lookup) { return std::holds_alternative<Waiting>(lookup); }
inline bool is_loading(const Lookup& lookup) { return std::holds_alternative<Loading>(lookup); }
inline bool is_busy(const Lookup& lookup) { return std::holds_alternative<Busy>(lookup); }

// The Load or Pin a lookup must have yielded; an empty one, and a failed test, if it has not.
inline Load take_load(Lookup lookup) {
  EXPECT_TRUE(is_load(lookup)) << "alternative " << lookup.index();
  return is_load(lookup) ? std::get<Load>(std::move(lookup)) : Load();
}
inline Pin take_pin(Lookup lookup) {
  EXPECT_TRUE(is_pin(lookup)) << "alternative " << lookup.index();
  return is_pin(lookup) ? std::get<Pin>(std::move(lookup)) : Pin();
}

inline std::string_view text_of(const Pin& pin) {
  return {reinterpret_cast<const char*>(pin.bytes().data()), pin.bytes().size()};
}
inline std::string_view RecordingWaiter::text() const { return text_of(**last); }

inline Pin commit_text(Load load, std::string_view text) {
  std::memcpy(load.buffer().data(), text.data(), text.size());
  return load.commit(text.size());
}

// Loads `key` with `text` and lets go of it.
inline void put(BlockCache& cache, const BlockKey& key, std::string_view text) {
  commit_text(take_load(cache.get(key, nullptr)), text).release();
}

inline BlockKey block(std::uint64_t number) { return {1, 1, number}; }

inline CacheConfig small_config(std::size_t slot_count, std::size_t shard_count = 1) {
  return {.slot_size_bytes = 64, .slot_count = slot_count, .shard_count = shard_count};
}

// The same numbers on every machine: the standard's distributions differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix_bits(state_ += 0x9e3779b97f4a7c15U); }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace sftpfs::cache
