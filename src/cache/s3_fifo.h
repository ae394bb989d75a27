// S3Fifo: which block to give up when a shard is full. Queues of numbers; no keys, data or locks.
//
//               not asked for again            asked for again
//   load ──► small ───────────────► ghost   small ──► main ──► (second chances) ──► gone
//   load of a key that is a ghost ──────────────────► main
//   readahead ──► ahead ──first read──► small (main, if its key was a ghost)
//
// Small (a tenth of the slots) is probation: a scan passes through it and leaves main alone. Main
// keeps what was asked for again and gives second chances like CLOCK, up to three. Ghosts remember
// the last keys that left small, as many as there are slots, so that a working set larger than
// small is recognised when it comes back. (Yang et al., "FIFO queues are all you need for cache
// eviction", SOSP 2023.)
//
// Two additions, because this cache serves files:
// - A block read in pieces is hit many times within moments; that is one use, not many. A hit
//   counts as a new use only if a few other blocks have been used since the last one. One such
//   use in small then proves popularity, where the paper wants two hits of any kind.
// - Readahead may run further ahead than small is long and would evict its own blocks before they
//   are read. They wait in `ahead` instead, up to half of the slots; blocks that nobody read while
//   the shard turned over a few times were a wrong guess and go first.
//
// Ownership: by a Shard. Nodes 0 to capacity - 1 are its slots, the next `capacity` are ghosts.
// Threads:   none of its own; the shard's mutex protects it.
// Limits:    fixed memory. evict() steps over pinned slots one by one, and gives each hit of main
//            back as one step: constant time per call in the long run while few slots are pinned.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/key_index.h"

namespace sftpfs::cache {

class S3Fifo {
 public:
  enum class Queue : std::uint8_t { kNone, kAhead, kSmall, kMain, kGhost };

  struct Arrival {
    bool returning = false;  // its key was a ghost
    bool ahead = false;      // loaded before anybody asked to read it
  };

  struct Victim {
    NodeId slot = kNoNode;
    bool remember = false;  // its key should become a ghost: see remember()
  };

  explicit S3Fifo(NodeId capacity);

  // A slot has been filled. It starts pinned: its loader holds it.
  void insert(NodeId slot, Arrival arrival);
  // A slot has been read.
  void hit(NodeId slot);
  // Pinned slots are not evicted. Calls alternate.
  void pin(NodeId slot);
  void unpin(NodeId slot);
  // A slot leaves for another reason than eviction.
  void erase(NodeId slot);
  // Chooses a slot and removes it. evictable() must not be zero.
  Victim evict();
  NodeId evictable() const { return evictable_; }

  // Makes the oldest ghost the newest: it is to take over an evicted key, and the key it had
  // before (if any) is forgotten.
  NodeId remember();
  // The key of a ghost came back: the node is the next to be reused.
  void forget(NodeId ghost);

  NodeId capacity() const { return capacity_; }
  NodeId small_target() const { return small_target_; }
  NodeId queue_size(Queue queue) const;
  Queue queue_of(NodeId node) const { return nodes_[node].queue; }
  bool pinned(NodeId slot) const { return nodes_[slot].pinned; }
  // Ends the process if links, sizes or counters disagree. For tests: it walks everything.
  void check_invariants() const;

 private:
  struct Node {
    NodeId older = kNoNode;
    NodeId newer = kNoNode;
    std::uint64_t stamp = 0;  // ahead: arrivals_ when it came; else uses_begun_ at its last use
    Queue queue = Queue::kNone;
    std::uint8_t uses = 0;
    bool pinned = false;
    bool returning = false;
  };
  struct List {
    NodeId oldest = kNoNode;
    NodeId newest = kNoNode;
    NodeId size = 0;
  };

  List& list_of(Queue queue);
  const List& list_of(Queue queue) const;
  void push_newest(Queue queue, NodeId node);
  void push_oldest(Queue queue, NodeId node);
  void unlink(NodeId node);
  void begin_use(Node& node) { node.stamp = uses_begun_++; }
  void begin_first_use(NodeId slot);
  void promote(NodeId slot);
  bool ahead_exceeds_its_share() const;
  NodeId oldest_unpinned(Queue queue) const;
  NodeId sweep_small();
  NodeId sweep_main();

  const NodeId capacity_;
  const NodeId small_target_;
  const NodeId moment_;  // uses of other blocks after which a hit is a new use
  std::vector<Node> nodes_;
  List ahead_, small_, main_, ghosts_;
  NodeId evictable_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t uses_begun_ = 0;
};

}  // namespace sftpfs::cache
