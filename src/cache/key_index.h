// KeyIndex: finds the node (a slot, or a ghost: the memory of an evicted key) that has a key.
//
// A chained hash table over node numbers. All memory is taken at construction, so inserting
// cannot fail or allocate under a shard's lock.
// Ownership: holds copies of the keys; a node has at most one key, a key at most one node.
// Threads:   none of its own; the shard's mutex protects it.
// Limits:    node numbers are 0 to node_count - 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cache/block_key.h"

namespace sftpfs::cache {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = UINT32_MAX;

class KeyIndex {
 public:
  explicit KeyIndex(NodeId node_count);

  // kNoNode if no node has it.
  NodeId find(const BlockKey& key) const;
  // Neither the node nor the key may be in the index.
  void insert(NodeId node, const BlockKey& key);
  // The node must be in the index.
  void erase(NodeId node);
  bool contains(NodeId node) const { return entries_[node].present; }
  // The key a node has, or had last.
  const BlockKey& key_of(NodeId node) const { return entries_[node].key; }
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    BlockKey key;
    NodeId next = kNoNode;
    bool present = false;
  };
  std::size_t bucket_of(const BlockKey& key) const;

  std::vector<Entry> entries_;
  std::vector<NodeId> buckets_;  // a power of two of them, at least one per node
  std::size_t size_ = 0;
};

}  // namespace sftpfs::cache
