// Shard: a part of the cache with its own mutex, slots, index and eviction queues.
//
// States of a slot. "Found" means that the index leads to it; waiters exist only while loading.
//
//   state          found  queued  pins  meaning
//   kFree          no     no      0     buffer unused, or left over
//   kLoading       yes    no      0     one Load is out
//   kDoomedLoading no     no      0     as kLoading, but its content is already out of date
//   kValid         yes    yes     >= 0  a block of the cache; evictable while pins = 0
//   kOrphan        no     no      > 0   out of date; only its pins keep it
//
//   from            event                              to
//   kFree           get() of an unknown key            kLoading
//   kValid, 0 pins  get() of another key, none free    kLoading (evicted: that key has the slot)
//   kLoading        commit()                           kValid, 1 pin + 1 for each waiter
//   kLoading        abandon(), ~Load                   kFree, waiters get the error
//   kLoading        doom()                             kDoomedLoading, waiters stay
//   kDoomedLoading  commit()                           kOrphan, 1 pin + 1 for each waiter
//   kDoomedLoading  abandon(), ~Load                   kFree, waiters get the error
//   kValid          get(), peek(): a hit               kValid, 1 pin more
//   kValid          ~Pin                               kValid, 1 pin less
//   kValid, 0 pins  doom()                             kFree
//   kValid, pinned  doom()                             kOrphan
//   kOrphan         ~Pin of the last pin               kFree
//
// get() of a key whose slot is kDoomedLoading or kOrphan does not find it: it starts a new load.
//
// Ownership: BlockCache owns shards; slots point into its slab.
// Threads:   every method locks mutex_; waiters are woken after it is released. A pinned slot's
//            data and size do not change, so Pin reads them without the mutex; a loading slot's
//            data belong to its Load. Both are ordered by the mutex: it was held when the pin or
//            load was given, and is held when it is returned, before the buffer is used again.
// Limits:    no allocation and no system call under the mutex; a lookup is constant time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_annotations.h"
#include "cache/block_cache.h"
#include "cache/key_index.h"
#include "cache/s3_fifo.h"
#include "cache/waiter_queue.h"

namespace sftpfs::cache {

enum class SlotState : std::uint8_t { kFree, kLoading, kDoomedLoading, kValid, kOrphan };

struct Slot {
  std::byte* data = nullptr;
  std::size_t size_bytes = 0;  // how much of data is valid
  NodeId node = kNoNode;       // its number in the index and in the queues
  std::uint32_t pins = 0;
  SlotState state = SlotState::kFree;
  S3Fifo::Arrival arrival;  // while loading: how it will enter the queues
  WaiterQueue waiters;
};

class Shard {
 public:
  // Buffers first_buffer to first_buffer + slot_count - 1 of the slab are this shard's.
  Shard(const Slab& slab, std::size_t slot_size_bytes, std::size_t first_buffer, NodeId slot_count);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // What BlockCache offers under the same names.
  Lookup get(const BlockKey& key, Waiter* waiter, Access access) SFTPFS_EXCLUDES(mutex_);
  Pin peek(const BlockKey& key) SFTPFS_EXCLUDES(mutex_);
  bool cancel_wait(const BlockKey& key, Waiter& waiter) SFTPFS_EXCLUDES(mutex_);
  void doom(const BlockKey& key) SFTPFS_EXCLUDES(mutex_);
  // Looks at every slot.
  void doom_range(std::uint64_t inode, std::uint64_t generation, std::uint64_t first_block,
                  std::uint64_t last_block) SFTPFS_EXCLUDES(mutex_);
  void add_stats(CacheStats& total) const SFTPFS_EXCLUDES(mutex_);
  void check_invariants() const SFTPFS_EXCLUDES(mutex_);

  // What Pin and Load do.
  Pin commit(Slot& slot, std::size_t size_bytes) SFTPFS_EXCLUDES(mutex_);
  void abandon(Slot& slot, const Error& error) SFTPFS_EXCLUDES(mutex_);
  void unpin(Slot& slot) SFTPFS_EXCLUDES(mutex_);
  std::size_t slot_size_bytes() const { return slot_size_bytes_; }

 private:
  Pin pin_valid(Slot& slot, Access access) SFTPFS_REQUIRES(mutex_);
  Lookup start_load(const BlockKey& key, NodeId ghost, Access access) SFTPFS_REQUIRES(mutex_);
  Slot& take_slot() SFTPFS_REQUIRES(mutex_);
  void free_slot(Slot& slot) SFTPFS_REQUIRES(mutex_);
  void doom_slot(Slot& slot) SFTPFS_REQUIRES(mutex_);
  bool is_slot(NodeId node) const SFTPFS_REQUIRES(mutex_) { return node < slots_.size(); }
  void check_slot(const Slot& slot) const SFTPFS_REQUIRES(mutex_);

  const std::size_t slot_size_bytes_;
  mutable Mutex mutex_;
  std::vector<Slot> slots_ SFTPFS_GUARDED_BY(mutex_);   // never resized: Pins point into it
  std::vector<NodeId> free_ SFTPFS_GUARDED_BY(mutex_);  // last freed, first used: it is warm
  KeyIndex index_ SFTPFS_GUARDED_BY(mutex_);
  S3Fifo policy_ SFTPFS_GUARDED_BY(mutex_);
  CacheStats stats_ SFTPFS_GUARDED_BY(mutex_);  // the counters only
};

}  // namespace sftpfs::cache
