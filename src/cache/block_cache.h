// BlockCache: a fixed slab of block buffers, shared by all workers, that never blocks.
//
// Ownership: one per mount; callers hold Pins and Loads, both move-only, never longer than the
//            operation that got them. The cache must outlive them (checked).
// Threads:   every method from any thread. Each shard has one mutex, held for a lookup or a list
//            update only: never during I/O, a copy of data or a call to a Waiter.
// Limits:    slot_count buffers of slot_size_bytes, allocated once. When every slot of a block's
//            shard is pinned or loading, get() answers Busy: a condition of capacity, never of
//            lock contention. What to do then is the caller's policy (drop a readahead, read
//            around the cache); no application ever sees it.
// See also:  shard.h (states of a slot), s3_fifo.h (which block is given up).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/error.h"
#include "cache/block_key.h"
#include "cache/slab.h"

namespace sftpfs::cache {

class Shard;
struct Slot;

// Keeps a loaded block where it is. bytes() is shorter than the slot for the last block of a file.
class [[nodiscard]] Pin {
 public:
  Pin() = default;
  Pin(Pin&& other) noexcept;
  Pin& operator=(Pin&& other) noexcept;
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin();

  explicit operator bool() const { return slot_ != nullptr; }
  ByteSpan bytes() const;
  void release();

 private:
  friend class Shard;
  Pin(Shard* shard, Slot* slot) : shard_(shard), slot_(slot) {}
  Shard* shard_ = nullptr;
  Slot* slot_ = nullptr;
};

// The duty to fill a block, given to exactly one caller. Destroying it unfilled fails it.
class [[nodiscard]] Load {
 public:
  Load() = default;
  Load(Load&& other) noexcept;
  Load& operator=(Load&& other) noexcept;
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load();

  explicit operator bool() const { return slot_ != nullptr; }
  // Where the data go: slot_size_bytes of it.
  MutableByteSpan buffer() const;
  // The first `size` bytes are valid; waiters are woken with a Pin each. A block doomed meanwhile
  // still serves them (and the returned Pin) but is not found any more.
  Pin commit(std::size_t size);
  // Waiters are woken with the error; the slot is free again. The destructor abandons with kBusy:
  // a waiter that sees it may ask again, and may then become the loader itself.
  void abandon(const Error& error);

 private:
  friend class Shard;
  Load(Shard* shard, Slot* slot) : shard_(shard), slot_(slot) {}
  Shard* shard_ = nullptr;
  Slot* slot_ = nullptr;
};

// How a Waiter hangs in the queue of the slot it waits for: waiting allocates nothing.
class WaiterLinks {
 public:
  WaiterLinks(const WaiterLinks&) = delete;
  WaiterLinks& operator=(const WaiterLinks&) = delete;

 protected:
  WaiterLinks() = default;
  ~WaiterLinks() { SFTPFS_CHECK(awaited_ == nullptr); }

 private:
  friend class WaiterQueue;
  Slot* awaited_ = nullptr;  // null when not in a queue
  WaiterLinks* older_ = nullptr;
  WaiterLinks* newer_ = nullptr;
};

// Somebody else fills the block. wake() is called exactly once, on the filler's thread, without
// any lock; it should only post to its own loop. A Waiter waits for one block at a time (checked)
// and must live until it has been woken or cancel_wait() has returned true.
class Waiter : public WaiterLinks {
 public:
  virtual void wake(Result<Pin> outcome) noexcept = 0;

 protected:
  ~Waiter() = default;
};

struct Waiting {};  // the given Waiter will be woken
struct Loading {};  // being filled by somebody; no Waiter was given
struct Busy {};     // every slot of the shard is pinned or loading

using Lookup = std::variant<Pin, Load, Waiting, Loading, Busy>;

// Why a block is asked for. Readahead is not a use: it does not make a block look popular, and
// what it loads is kept until it is read once (or turns out to have been a wrong guess), however
// far ahead it runs, up to half of the slots.
enum class Access : std::uint8_t { kRead, kReadahead };

struct CacheStats {
  std::uint64_t hits = 0;        // reads that found their block
  std::uint64_t loads = 0;       // Loads given out
  std::uint64_t waits = 0;       // met a block being filled
  std::uint64_t busy = 0;        // turned away: see Busy
  std::uint64_t evictions = 0;   // blocks given up for others
  std::uint64_t dooms = 0;       // blocks made unreachable
  std::size_t slots_used = 0;    // valid, pinned or loading
  std::size_t slots_pinned = 0;  // pinned or loading
};

struct CacheConfig {
  std::size_t slot_size_bytes = 128 * 1024;
  std::size_t slot_count = 512;  // 0 turns the cache off: every get() is Busy
  std::size_t shard_count = 0;   // 0: derived; few slots mean few shards (RocksDB's rule)
};

class BlockCache {
 public:
  // Fails with one line for the user when the memory cannot be had.
  static Result<std::unique_ptr<BlockCache>> create(const CacheConfig& config);
  // For a configuration known to be good (checked).
  explicit BlockCache(const CacheConfig& config);
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // `waiter` may be null: then a block being filled by another yields Loading.
  Lookup get(const BlockKey& key, Waiter* waiter, Access access = Access::kRead);
  // A Pin if the block is there now, an empty one otherwise; never counts as a miss and never
  // allocates a slot.
  Pin peek(const BlockKey& key);
  // Takes a waiter back. False: it has been woken, or is just being woken.
  bool cancel_wait(const BlockKey& key, Waiter& waiter);

  // Makes a block unreachable at once; its slot is freed with the last pin. A load under way
  // serves its waiters and then vanishes.
  void doom(const BlockKey& key);
  // Blocks first_block to last_block, both included. Shard by shard: every block that was there
  // at the call is gone at the return. Costs no more than the smaller of range and slot_count.
  void doom_range(std::uint64_t inode, std::uint64_t generation, std::uint64_t first_block,
                  std::uint64_t last_block);

  // shard_count is the number in use, never 0.
  const CacheConfig& config() const { return config_; }
  std::size_t shard_count() const { return shards_.size(); }
  CacheStats stats() const;
  // Ends the process if any list, index or counter disagrees. For tests: it walks everything.
  void check_invariants() const;

 private:
  BlockCache(const CacheConfig& config, Slab slab);
  Shard& shard_of(const BlockKey& key) const;

  CacheConfig config_;
  Slab slab_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace sftpfs::cache
