// See block_cache.h.
#include "cache/block_cache.h"

#include <algorithm>
#include <utility>

#include "cache/shard.h"

namespace sftpfs::cache {
namespace {

// Both numbers trade lock contention against capacity. A shard runs full on its own: with few slots
// each, get() would answer Busy while other shards have room, and popular blocks that happen to
// meet in one shard would evict each other. A lock is held for well under a microsecond and the
// threads are few, so shards stay large: a cache of less than 128 slots is one shard, and Busy then
// means that truly everything is pinned or loading.
constexpr std::size_t kSlotsPerShardMin = 64;
constexpr std::size_t kShardsMax = 16;

// Slots and ghosts are numbered with 32 bits.
constexpr std::size_t kSlotsMax = std::size_t{1} << 30;

CacheConfig resolve(CacheConfig config) {
  if (config.shard_count == 0) {
    config.shard_count = std::min(config.slot_count / kSlotsPerShardMin, kShardsMax);
  }
  config.shard_count =
      std::clamp<std::size_t>(config.shard_count, 1, std::max<std::size_t>(1, config.slot_count));
  return config;
}

Result<Slab> map_slab(const CacheConfig& config) {
  if (config.slot_size_bytes == 0 || config.slot_count > kSlotsMax) {
    return fail(ErrorCode::kInvalid,
                "the cache needs blocks of at least one byte, and at most 2^30 of them");
  }
  return Slab::map(config.slot_size_bytes, config.slot_count);
}

Slab map_slab_checked(const CacheConfig& config) {
  Result<Slab> slab = map_slab(config);
  SFTPFS_CHECK(slab.has_value());
  return std::move(*slab);
}

}  // namespace

Result<std::unique_ptr<BlockCache>> BlockCache::create(const CacheConfig& config) {
  Result<Slab> slab = map_slab(config);
  if (!slab) return fail(std::move(slab.error()));
  return std::unique_ptr<BlockCache>(new BlockCache(config, std::move(*slab)));
}

BlockCache::BlockCache(const CacheConfig& config) : BlockCache(config, map_slab_checked(config)) {}

BlockCache::BlockCache(const CacheConfig& config, Slab slab)
    : config_(resolve(config)), slab_(std::move(slab)) {
  const std::size_t share = config_.slot_count / config_.shard_count;
  const std::size_t larger_shards = config_.slot_count % config_.shard_count;
  std::size_t first_buffer = 0;
  for (std::size_t i = 0; i < config_.shard_count; ++i) {
    const std::size_t slot_count = share + (i < larger_shards ? 1 : 0);
    shards_.push_back(std::make_unique<Shard>(slab_, config_.slot_size_bytes, first_buffer,
                                              static_cast<NodeId>(slot_count)));
    first_buffer += slot_count;
  }
}

BlockCache::~BlockCache() = default;

// Neighbouring blocks go to different shards in turn, so that a stream fills all shards evenly;
// the turn starts anew every shard_count blocks, so that no stride stays in one shard.
Shard& BlockCache::shard_of(const BlockKey& key) const {
  const std::uint64_t shard_count = shards_.size();
  const std::uint64_t start = hash_key(key.inode, key.generation, key.block / shard_count);
  return *shards_[(start % shard_count + key.block % shard_count) % shard_count];
}

Lookup BlockCache::get(const BlockKey& key, Waiter* waiter, Access access) {
  return shard_of(key).get(key, waiter, access);
}

Pin BlockCache::peek(const BlockKey& key) { return shard_of(key).peek(key); }

bool BlockCache::cancel_wait(const BlockKey& key, Waiter& waiter) {
  return shard_of(key).cancel_wait(key, waiter);
}

void BlockCache::doom(const BlockKey& key) { shard_of(key).doom(key); }

void BlockCache::doom_range(std::uint64_t inode, std::uint64_t generation,
                            std::uint64_t first_block, std::uint64_t last_block) {
  if (last_block < first_block) return;
  if (last_block - first_block >= config_.slot_count) {
    for (const auto& shard : shards_) shard->doom_range(inode, generation, first_block, last_block);
    return;
  }
  for (std::uint64_t i = 0; i <= last_block - first_block; ++i) {
    doom({inode, generation, first_block + i});
  }
}

CacheStats BlockCache::stats() const {
  CacheStats total;
  for (const auto& shard : shards_) shard->add_stats(total);
  return total;
}

void BlockCache::check_invariants() const {
  for (const auto& shard : shards_) shard->check_invariants();
}

Pin::Pin(Pin&& other) noexcept
    : shard_(std::exchange(other.shard_, nullptr)), slot_(std::exchange(other.slot_, nullptr)) {}

Pin& Pin::operator=(Pin&& other) noexcept {
  if (this != &other) {
    release();
    shard_ = std::exchange(other.shard_, nullptr);
    slot_ = std::exchange(other.slot_, nullptr);
  }
  return *this;
}

Pin::~Pin() { release(); }

ByteSpan Pin::bytes() const {
  SFTPFS_CHECK(slot_ != nullptr);
  return {slot_->data, slot_->size_bytes};
}

void Pin::release() {
  if (slot_ != nullptr) std::exchange(shard_, nullptr)->unpin(*std::exchange(slot_, nullptr));
}

Load::Load(Load&& other) noexcept
    : shard_(std::exchange(other.shard_, nullptr)), slot_(std::exchange(other.slot_, nullptr)) {}

Load& Load::operator=(Load&& other) noexcept {
  if (this != &other) {
    Load abandoned(std::move(*this));
    shard_ = std::exchange(other.shard_, nullptr);
    slot_ = std::exchange(other.slot_, nullptr);
  }
  return *this;
}

Load::~Load() {
  if (slot_ != nullptr) abandon(Error(ErrorCode::kBusy, "the block's load was given up"));
}

MutableByteSpan Load::buffer() const {
  SFTPFS_CHECK(slot_ != nullptr);
  return {slot_->data, shard_->slot_size_bytes()};
}

Pin Load::commit(std::size_t size) {
  SFTPFS_CHECK(slot_ != nullptr);
  return std::exchange(shard_, nullptr)->commit(*std::exchange(slot_, nullptr), size);
}

void Load::abandon(const Error& error) {
  SFTPFS_CHECK(slot_ != nullptr);
  std::exchange(shard_, nullptr)->abandon(*std::exchange(slot_, nullptr), error);
}

}  // namespace sftpfs::cache
