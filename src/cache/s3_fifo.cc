// See s3_fifo.h.
#include "cache/s3_fifo.h"

#include <algorithm>

#include "base/check.h"

namespace sftpfs::cache {
namespace {

constexpr NodeId kSmallDivisor = 10;          // small is a tenth of the slots: the paper's choice
constexpr std::uint8_t kUsesMax = 3;          // second chances in main
constexpr std::uint64_t kStaleTurnovers = 4;  // an unread block this many capacities old is a miss

}  // namespace

S3Fifo::S3Fifo(NodeId capacity)
    : capacity_(capacity),
      small_target_(std::max<NodeId>(1, capacity / kSmallDivisor)),
      moment_(std::max<NodeId>(1, small_target_ / 2)),
      nodes_(std::size_t{capacity} * 2) {
  for (NodeId ghost = capacity; ghost < nodes_.size(); ++ghost) push_newest(Queue::kGhost, ghost);
}

S3Fifo::List& S3Fifo::list_of(Queue queue) {
  return const_cast<List&>(static_cast<const S3Fifo*>(this)->list_of(queue));
}

const S3Fifo::List& S3Fifo::list_of(Queue queue) const {
  switch (queue) {
    case Queue::kAhead: return ahead_;
    case Queue::kSmall: return small_;
    case Queue::kMain: return main_;
    case Queue::kGhost: return ghosts_;
    case Queue::kNone: break;
  }
  check_failed("queue != Queue::kNone", __FILE__, __LINE__);
}

NodeId S3Fifo::queue_size(Queue queue) const { return list_of(queue).size; }

void S3Fifo::push_newest(Queue queue, NodeId id) {
  List& list = list_of(queue);
  Node& node = nodes_[id];
  node.queue = queue;
  node.older = list.newest;
  node.newer = kNoNode;
  (list.newest != kNoNode ? nodes_[list.newest].newer : list.oldest) = id;
  list.newest = id;
  ++list.size;
}

void S3Fifo::push_oldest(Queue queue, NodeId id) {
  List& list = list_of(queue);
  Node& node = nodes_[id];
  node.queue = queue;
  node.older = kNoNode;
  node.newer = list.oldest;
  (list.oldest != kNoNode ? nodes_[list.oldest].older : list.newest) = id;
  list.oldest = id;
  ++list.size;
}

void S3Fifo::unlink(NodeId id) {
  Node& node = nodes_[id];
  List& list = list_of(node.queue);
  (node.older != kNoNode ? nodes_[node.older].newer : list.oldest) = node.newer;
  (node.newer != kNoNode ? nodes_[node.newer].older : list.newest) = node.older;
  --list.size;
  node.queue = Queue::kNone;
}

void S3Fifo::begin_first_use(NodeId slot) {
  Node& node = nodes_[slot];
  node.uses = 0;
  begin_use(node);
  push_newest(node.returning ? Queue::kMain : Queue::kSmall, slot);
}

void S3Fifo::promote(NodeId slot) {
  unlink(slot);
  nodes_[slot].uses = 0;
  push_newest(Queue::kMain, slot);
}

void S3Fifo::insert(NodeId slot, Arrival arrival) {
  SFTPFS_CHECK(slot < capacity_);
  Node& node = nodes_[slot];
  SFTPFS_CHECK(node.queue == Queue::kNone);
  node.pinned = true;
  node.returning = arrival.returning;
  ++arrivals_;
  if (arrival.ahead) {
    node.uses = 0;
    node.stamp = arrivals_;
    push_newest(Queue::kAhead, slot);
  } else {
    begin_first_use(slot);
  }
}

void S3Fifo::hit(NodeId slot) {
  Node& node = nodes_[slot];
  SFTPFS_CHECK(slot < capacity_ && node.queue != Queue::kNone);
  if (node.queue == Queue::kAhead) {
    unlink(slot);
    begin_first_use(slot);
  } else if (uses_begun_ - node.stamp > moment_) {
    begin_use(node);
    node.uses = std::min<std::uint8_t>(kUsesMax, node.uses + 1);
  }
}

void S3Fifo::pin(NodeId slot) {
  SFTPFS_CHECK(!nodes_[slot].pinned);
  nodes_[slot].pinned = true;
  --evictable_;
}

void S3Fifo::unpin(NodeId slot) {
  SFTPFS_CHECK(nodes_[slot].pinned && nodes_[slot].queue != Queue::kNone);
  nodes_[slot].pinned = false;
  ++evictable_;
}

void S3Fifo::erase(NodeId slot) {
  SFTPFS_CHECK(slot < capacity_);
  if (!nodes_[slot].pinned) --evictable_;
  unlink(slot);
}

bool S3Fifo::ahead_exceeds_its_share() const {
  if (ahead_.size == 0) return false;
  const std::uint64_t age = arrivals_ - nodes_[ahead_.oldest].stamp;
  return ahead_.size > capacity_ / 2 || age > kStaleTurnovers * capacity_;
}

NodeId S3Fifo::oldest_unpinned(Queue queue) const {
  NodeId id = list_of(queue).oldest;
  while (id != kNoNode && nodes_[id].pinned) id = nodes_[id].newer;
  return id;
}

// From the oldest on: what was used again moves to main, what was not is the victim. None when
// small has shrunk below its share or everything left of it is pinned.
NodeId S3Fifo::sweep_small() {
  NodeId id = small_.oldest;
  while (id != kNoNode && small_.size >= small_target_) {
    const NodeId newer = nodes_[id].newer;
    if (nodes_[id].uses > 0) {
      promote(id);
    } else if (!nodes_[id].pinned) {
      return id;
    }
    id = newer;
  }
  return kNoNode;
}

// From the oldest on: each use buys one more round. None when everything in main is pinned.
NodeId S3Fifo::sweep_main() {
  // Within this many steps every block that is not pinned has spent its uses.
  std::uint64_t steps = std::uint64_t{main_.size} * (kUsesMax + 1);
  NodeId id = main_.oldest;
  for (; steps > 0; --steps) {
    Node& node = nodes_[id];
    if (!node.pinned && node.uses == 0) return id;
    if (node.uses > 0) --node.uses;
    unlink(id);
    push_newest(Queue::kMain, id);
    id = main_.oldest;
  }
  return kNoNode;
}

S3Fifo::Victim S3Fifo::evict() {
  SFTPFS_CHECK(evictable_ > 0);
  NodeId slot = kNoNode;
  if (ahead_exceeds_its_share()) slot = oldest_unpinned(Queue::kAhead);
  if (slot == kNoNode) slot = sweep_small();
  if (slot == kNoNode) slot = sweep_main();
  if (slot == kNoNode) slot = oldest_unpinned(Queue::kSmall);
  if (slot == kNoNode) slot = oldest_unpinned(Queue::kAhead);
  SFTPFS_CHECK(slot != kNoNode);
  const Victim victim{slot, nodes_[slot].queue == Queue::kSmall};
  erase(slot);
  return victim;
}

NodeId S3Fifo::remember() {
  const NodeId ghost = ghosts_.oldest;
  SFTPFS_CHECK(ghost != kNoNode);
  unlink(ghost);
  push_newest(Queue::kGhost, ghost);
  return ghost;
}

void S3Fifo::forget(NodeId ghost) {
  SFTPFS_CHECK(ghost >= capacity_);
  unlink(ghost);
  push_oldest(Queue::kGhost, ghost);
}

void S3Fifo::check_invariants() const {
  NodeId unpinned = 0;
  for (const Queue queue : {Queue::kAhead, Queue::kSmall, Queue::kMain, Queue::kGhost}) {
    const List& list = list_of(queue);
    NodeId count = 0;
    NodeId before = kNoNode;
    for (NodeId id = list.oldest; id != kNoNode; id = nodes_[id].newer) {
      SFTPFS_CHECK(nodes_[id].queue == queue && nodes_[id].older == before);
      SFTPFS_CHECK((queue == Queue::kGhost) == (id >= capacity_));
      SFTPFS_CHECK(nodes_[id].uses <= kUsesMax);
      if (id < capacity_ && !nodes_[id].pinned) ++unpinned;
      before = id;
      ++count;
    }
    SFTPFS_CHECK(list.newest == before && list.size == count);
  }
  SFTPFS_CHECK(ghosts_.size == capacity_);
  SFTPFS_CHECK(unpinned == evictable_);
}

}  // namespace sftpfs::cache
