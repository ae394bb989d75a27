// See key_index.h.
#include "cache/key_index.h"

#include <bit>

#include "base/check.h"

namespace sftpfs::cache {

KeyIndex::KeyIndex(NodeId node_count)
    : entries_(node_count), buckets_(std::bit_ceil(std::size_t{node_count} + 1), kNoNode) {}

std::size_t KeyIndex::bucket_of(const BlockKey& key) const {
  return hash_key(key.inode, key.generation, key.block) & (buckets_.size() - 1);
}

NodeId KeyIndex::find(const BlockKey& key) const {
  NodeId node = buckets_[bucket_of(key)];
  while (node != kNoNode && entries_[node].key != key) node = entries_[node].next;
  return node;
}

void KeyIndex::insert(NodeId node, const BlockKey& key) {
  Entry& entry = entries_[node];
  SFTPFS_CHECK(!entry.present);
  NodeId& bucket = buckets_[bucket_of(key)];
  entry.key = key;
  entry.next = bucket;
  entry.present = true;
  bucket = node;
  ++size_;
}

void KeyIndex::erase(NodeId node) {
  Entry& entry = entries_[node];
  SFTPFS_CHECK(entry.present);
  NodeId* link = &buckets_[bucket_of(entry.key)];
  while (*link != node) link = &entries_[*link].next;
  *link = entry.next;
  entry.present = false;
  --size_;
}

}  // namespace sftpfs::cache
