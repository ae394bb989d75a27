// See inode_table.h.
#include "fs/inode_table.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/check.h"

namespace sftpfs::fs {
namespace {

// Deeper than any path a kernel passes (PATH_MAX / 2), so only a damaged tree reaches it.
constexpr std::size_t kDepthMax = 4096;

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? directory + name : directory + "/" + name;
}

}  // namespace

InodeTable::InodeTable() {
  root_ = std::make_shared<Inode>(kRootInode, S_IFDIR, ticks_);
  const MutexLock lock(mutex_);
  root_->lookup_count_ = 1;
  by_id_.emplace(kRootInode, root_);
}

InodeTable::~InodeTable() = default;

InodeRef InodeTable::find(std::uint64_t id) const {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

InodeRef InodeTable::find_child(const Inode& parent, const std::string& name) const {
  const MutexLock lock(mutex_);
  const auto child = parent.children_.find(name);
  if (child == parent.children_.end()) return nullptr;
  const auto found = by_id_.find(child->second->id());
  return found == by_id_.end() ? nullptr : found->second;
}

InodeRef InodeTable::create_locked(std::uint32_t type) {
  auto inode = std::make_shared<Inode>(next_id_++, type, ticks_);
  by_id_.emplace(inode->id(), inode);
  return inode;
}

void InodeTable::link_locked(Inode& inode, Inode& parent, const std::string& name) {
  // A parent that was forgotten meanwhile is nobody's any more; the inode lives without the name.
  if (!by_id_.contains(parent.id())) return;
  inode.names_.push_back(Inode::Name{&parent, name});
  parent.children_.emplace(name, &inode);
}

void InodeTable::unlink_locked(Inode& parent, const std::string& name) {
  const auto child = parent.children_.find(name);
  if (child == parent.children_.end()) return;
  Inode& inode = *child->second;
  parent.children_.erase(child);
  std::erase_if(inode.names_, [&](const Inode::Name& entry) {
    return entry.parent == &parent && entry.name == name;
  });
  reap_locked(inode);
}

void InodeTable::reap_locked(Inode& inode) {
  // Upwards: the last child of a forgotten directory takes it along.
  std::vector<std::uint64_t> candidates{inode.id()};
  while (!candidates.empty()) {
    const auto found = by_id_.find(candidates.back());
    candidates.pop_back();
    if (found == by_id_.end()) continue;
    Inode& candidate = *found->second;
    if (candidate.lookup_count_ > 0 || !candidate.children_.empty()) continue;
    const std::uint64_t changed = candidate.names_.empty() ? 0 : candidate.last_change();
    for (const Inode::Name& entry : candidate.names_) {
      entry.parent->child_left(changed);
      entry.parent->children_.erase(entry.name);
      candidates.push_back(entry.parent->id());
    }
    candidate.names_.clear();
    by_id_.erase(found);
  }
}

InodeRef InodeTable::enter(const InodeRef& parent, const std::string& name, std::uint32_t type) {
  const MutexLock lock(mutex_);
  const auto child = parent->children_.find(name);
  if (child != parent->children_.end() && child->second->type() == type) {
    const auto known = by_id_.find(child->second->id());
    SFTPFS_CHECK(known != by_id_.end());
    ++known->second->lookup_count_;
    return known->second;
  }
  if (child != parent->children_.end()) unlink_locked(*parent, name);
  InodeRef inode = create_locked(type);
  inode->lookup_count_ = 1;
  link_locked(*inode, *parent, name);
  return inode;
}

void InodeTable::enter_link(const InodeRef& inode, const InodeRef& parent,
                            const std::string& name) {
  const MutexLock lock(mutex_);
  ++inode->lookup_count_;
  by_id_.try_emplace(inode->id(), inode);  // if it was forgotten meanwhile
  unlink_locked(*parent, name);
  link_locked(*inode, *parent, name);
}

void InodeTable::retain(const InodeRef& inode) {
  const MutexLock lock(mutex_);
  // The kernel may have let go of it already.
  by_id_.try_emplace(inode->id(), inode);
  ++inode->lookup_count_;
}

void InodeTable::forget(std::uint64_t id, std::uint64_t lookups) {
  if (id == kRootInode) return;
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const InodeRef inode = found->second;
  inode->lookup_count_ -= std::min(inode->lookup_count_, lookups);
  reap_locked(*inode);
}

bool InodeTable::path_locked(const Inode& inode, std::string& path) const {
  std::vector<const std::string*> parts;
  for (const Inode* at = &inode; at != root_.get(); at = at->names_.front().parent) {
    if (at->names_.empty() || parts.size() >= kDepthMax) return false;
    parts.push_back(&at->names_.front().name);
  }
  path = root_path_;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (path.back() != '/') path.push_back('/');
    path += **part;
  }
  return true;
}

Result<std::string> InodeTable::path(const Inode& inode) const {
  const MutexLock lock(mutex_);
  std::string path;
  if (!path_locked(inode, path)) return fail(Error::system(ESTALE, "file has no name any more"));
  return path;
}

std::vector<std::string> InodeTable::paths(const Inode& inode) const {
  const MutexLock lock(mutex_);
  std::vector<std::string> paths;
  for (const Inode::Name& each : inode.names_) {
    std::string directory;
    if (path_locked(*each.parent, directory)) paths.push_back(join(directory, each.name));
  }
  return paths;
}

std::vector<InodeTable::Place> InodeTable::places(const Inode& inode) const {
  const MutexLock lock(mutex_);
  std::vector<Place> places;
  for (const Inode::Name& each : inode.names_) {
    const auto parent = by_id_.find(each.parent->id());
    if (parent != by_id_.end()) places.push_back(Place{parent->second, each.name});
  }
  return places;
}

Result<std::string> InodeTable::path(const Inode& parent, const std::string& name) const {
  Result<std::string> directory = path(parent);
  if (!directory) return directory;
  return join(*directory, name);
}

void InodeTable::remove(const Inode& parent, const std::string& name) {
  const MutexLock lock(mutex_);
  const auto known = by_id_.find(parent.id());
  if (known == by_id_.end()) return;
  const InodeRef directory = known->second;
  unlink_locked(*directory, name);
  reap_locked(*directory);
}

void InodeTable::rename(const Inode& from_parent, const std::string& from,
                        const InodeRef& to_parent, const std::string& to) {
  const MutexLock lock(mutex_);
  const auto parent = by_id_.find(from_parent.id());
  if (parent == by_id_.end()) return;
  const InodeRef old_parent = parent->second;
  const auto child = old_parent->children_.find(from);
  if (child == old_parent->children_.end()) {
    unlink_locked(*to_parent, to);
    reap_locked(*to_parent);
    return;
  }
  const InodeRef inode = by_id_.at(child->second->id());
  const auto target = to_parent->children_.find(to);
  // rename(2) between two names of one file does nothing.
  if (target != to_parent->children_.end() && target->second == inode.get()) return;
  ++inode->lookup_count_;  // keeps it alive while it has no name
  unlink_locked(*to_parent, to);
  unlink_locked(*old_parent, from);
  link_locked(*inode, *to_parent, to);
  --inode->lookup_count_;
  reap_locked(*inode);
  reap_locked(*old_parent);
}

std::vector<InodeRef> InodeTable::all() const {
  const MutexLock lock(mutex_);
  std::vector<InodeRef> inodes;
  inodes.reserve(by_id_.size());
  for (const auto& [id, inode] : by_id_) inodes.push_back(inode);
  return inodes;
}

std::size_t InodeTable::size() const {
  const MutexLock lock(mutex_);
  return by_id_.size();
}

}  // namespace sftpfs::fs
