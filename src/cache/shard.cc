// See shard.h.
#include "cache/shard.h"

#include <utility>

#include "base/check.h"

namespace sftpfs::cache {

Shard::Shard(const Slab& slab, std::size_t slot_size_bytes, std::size_t first_buffer,
             NodeId slot_count)
    : slot_size_bytes_(slot_size_bytes),
      slots_(slot_count),
      index_(slot_count * 2),
      policy_(slot_count) {
  // Reserved for all, so that freeing a slot never allocates; filled so that low buffers go first.
  free_.reserve(slot_count);
  for (NodeId node = slot_count; node-- > 0;) {
    slots_[node].node = node;
    slots_[node].data = slab.buffer(first_buffer + node);
    free_.push_back(node);
  }
}

Shard::~Shard() {
  MutexLock lock(mutex_);
  // Every slot is free or evictable: no Pin and no Load is left.
  SFTPFS_CHECK(free_.size() + policy_.evictable() == slots_.size());
}

Lookup Shard::get(const BlockKey& key, Waiter* waiter, Access access) {
  MutexLock lock(mutex_);
  const NodeId node = index_.find(key);
  if (node == kNoNode || !is_slot(node)) return start_load(key, node, access);

  Slot& slot = slots_[node];
  if (slot.state == SlotState::kValid) return pin_valid(slot, access);

  SFTPFS_CHECK(slot.state == SlotState::kLoading);
  ++stats_.waits;
  if (access == Access::kRead) slot.arrival.ahead = false;
  if (waiter == nullptr) return Loading{};
  slot.waiters.push(*waiter, slot);
  return Waiting{};
}

Pin Shard::peek(const BlockKey& key) {
  MutexLock lock(mutex_);
  const NodeId node = index_.find(key);
  if (node == kNoNode || !is_slot(node) || slots_[node].state != SlotState::kValid) return {};
  return pin_valid(slots_[node], Access::kRead);
}

Pin Shard::pin_valid(Slot& slot, Access access) {
  if (access == Access::kRead) {
    ++stats_.hits;
    policy_.hit(slot.node);
  }
  if (slot.pins++ == 0) policy_.pin(slot.node);
  return Pin(this, &slot);
}

Lookup Shard::start_load(const BlockKey& key, NodeId ghost, Access access) {
  if (free_.empty() && policy_.evictable() == 0) {
    ++stats_.busy;
    return Busy{};
  }
  // The ghost goes first: the eviction below may turn it into the memory of another key.
  if (ghost != kNoNode) {
    index_.erase(ghost);
    policy_.forget(ghost);
  }
  Slot& slot = take_slot();
  SFTPFS_CHECK(slot.pins == 0 && slot.waiters.empty());
  slot.state = SlotState::kLoading;
  slot.size_bytes = 0;
  slot.arrival = {.returning = ghost != kNoNode, .ahead = access == Access::kReadahead};
  index_.insert(slot.node, key);
  ++stats_.loads;
  return Load(this, &slot);
}

Slot& Shard::take_slot() {
  if (!free_.empty()) {
    Slot& slot = slots_[free_.back()];
    free_.pop_back();
    return slot;
  }
  const S3Fifo::Victim victim = policy_.evict();
  Slot& slot = slots_[victim.slot];
  SFTPFS_CHECK(slot.state == SlotState::kValid);
  const BlockKey key = index_.key_of(slot.node);
  index_.erase(slot.node);
  if (victim.remember) {
    const NodeId ghost = policy_.remember();
    if (index_.contains(ghost)) index_.erase(ghost);
    index_.insert(ghost, key);
  }
  ++stats_.evictions;
  return slot;
}

void Shard::free_slot(Slot& slot) {
  slot.state = SlotState::kFree;
  free_.push_back(slot.node);
}

bool Shard::cancel_wait(const BlockKey& key, Waiter& waiter) {
  MutexLock lock(mutex_);
  Slot* slot = WaiterQueue::awaited(waiter);
  if (slot == nullptr) return false;
  // Another key would mean another shard's mutex. A doomed slot keeps its key until it is reused.
  SFTPFS_CHECK(index_.key_of(slot->node) == key);
  slot->waiters.remove(waiter);
  return true;
}

Pin Shard::commit(Slot& slot, std::size_t size_bytes) {
  SFTPFS_CHECK(size_bytes <= slot_size_bytes_);
  WaiterQueue::Chain chain;
  {
    MutexLock lock(mutex_);
    SFTPFS_CHECK(slot.state == SlotState::kLoading || slot.state == SlotState::kDoomedLoading);
    chain = slot.waiters.take_all();
    slot.size_bytes = size_bytes;
    slot.pins = 1 + chain.size();
    if (slot.state == SlotState::kLoading) {
      slot.state = SlotState::kValid;
      policy_.insert(slot.node, slot.arrival);
    } else {
      slot.state = SlotState::kOrphan;
    }
  }
  while (Waiter* waiter = chain.pop()) waiter->wake(Pin(this, &slot));
  return Pin(this, &slot);
}

void Shard::abandon(Slot& slot, const Error& error) {
  WaiterQueue::Chain chain;
  {
    MutexLock lock(mutex_);
    SFTPFS_CHECK(slot.state == SlotState::kLoading || slot.state == SlotState::kDoomedLoading);
    chain = slot.waiters.take_all();
    if (slot.state == SlotState::kLoading) index_.erase(slot.node);
    free_slot(slot);
  }
  while (Waiter* waiter = chain.pop()) waiter->wake(fail(error));
}

void Shard::unpin(Slot& slot) {
  MutexLock lock(mutex_);
  SFTPFS_CHECK(slot.pins > 0);
  if (--slot.pins > 0) return;
  if (slot.state == SlotState::kOrphan) {
    free_slot(slot);
  } else {
    SFTPFS_CHECK(slot.state == SlotState::kValid);
    policy_.unpin(slot.node);
  }
}

void Shard::doom(const BlockKey& key) {
  MutexLock lock(mutex_);
  const NodeId node = index_.find(key);
  // A ghost stays: it remembers that the block is popular, not what was in it.
  if (node != kNoNode && is_slot(node)) doom_slot(slots_[node]);
}

void Shard::doom_range(std::uint64_t inode, std::uint64_t generation, std::uint64_t first_block,
                       std::uint64_t last_block) {
  MutexLock lock(mutex_);
  for (Slot& slot : slots_) {
    if (!index_.contains(slot.node)) continue;
    const BlockKey& key = index_.key_of(slot.node);
    if (key.inode == inode && key.generation == generation && key.block >= first_block &&
        key.block <= last_block) {
      doom_slot(slot);
    }
  }
}

void Shard::doom_slot(Slot& slot) {
  ++stats_.dooms;
  index_.erase(slot.node);
  if (slot.state == SlotState::kLoading) {
    slot.state = SlotState::kDoomedLoading;
    return;
  }
  SFTPFS_CHECK(slot.state == SlotState::kValid);
  policy_.erase(slot.node);
  if (slot.pins == 0) {
    free_slot(slot);
  } else {
    slot.state = SlotState::kOrphan;
  }
}

void Shard::add_stats(CacheStats& total) const {
  MutexLock lock(mutex_);
  total.hits += stats_.hits;
  total.loads += stats_.loads;
  total.waits += stats_.waits;
  total.busy += stats_.busy;
  total.evictions += stats_.evictions;
  total.dooms += stats_.dooms;
  total.slots_used += slots_.size() - free_.size();
  total.slots_pinned += slots_.size() - free_.size() - policy_.evictable();
}

void Shard::check_invariants() const {
  MutexLock lock(mutex_);
  policy_.check_invariants();
  std::size_t free_count = 0;
  for (const Slot& slot : slots_) {
    check_slot(slot);
    if (slot.state == SlotState::kFree) ++free_count;
  }
  SFTPFS_CHECK(free_count == free_.size());
  for (const NodeId node : free_) SFTPFS_CHECK(slots_[node].state == SlotState::kFree);
  // No key has two nodes: a block that came back has no memory of it left behind.
  for (std::size_t i = slots_.size(); i < 2 * slots_.size(); ++i) {
    const auto ghost = static_cast<NodeId>(i);
    SFTPFS_CHECK(!index_.contains(ghost) || index_.find(index_.key_of(ghost)) == ghost);
  }
}

// One line of the table of states, whichever the slot is in.
void Shard::check_slot(const Slot& slot) const {
  const bool found =
      index_.contains(slot.node) && index_.find(index_.key_of(slot.node)) == slot.node;
  const bool queued = policy_.queue_of(slot.node) != S3Fifo::Queue::kNone;
  switch (slot.state) {
    case SlotState::kFree:
      SFTPFS_CHECK(!found && !queued && slot.pins == 0 && slot.waiters.empty());
      break;
    case SlotState::kLoading: SFTPFS_CHECK(found && !queued && slot.pins == 0); break;
    case SlotState::kDoomedLoading: SFTPFS_CHECK(!found && !queued && slot.pins == 0); break;
    case SlotState::kValid:
      SFTPFS_CHECK(found && queued && slot.waiters.empty());
      SFTPFS_CHECK(policy_.pinned(slot.node) == (slot.pins > 0));
      break;
    case SlotState::kOrphan:
      SFTPFS_CHECK(!found && !queued && slot.pins > 0 && slot.waiters.empty());
      break;
  }
}

}  // namespace sftpfs::cache
