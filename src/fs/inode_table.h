// InodeTable: the tree of names the kernel knows, and the way from an inode to its path.
//
// Inodes are found by number (what the kernel sends) and by parent and name (what lookups yield).
// An inode lives while the kernel counts lookups on it or it has known children; a path is put
// together from the names up to the root, so renaming a directory of thousands costs one step.
//
// Ownership: one per mount.
// Threads:   any; one mutex, because a path needs one consistent view of the whole tree. It is
//            held for map operations only. Lock order: docs/ARCHITECTURE.md.
// Limits:    as many inodes as the kernel remembers; it forgets under memory pressure.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/thread_annotations.h"
#include "fs/inode.h"
#include "fs/types.h"

namespace sftpfs::fs {

class InodeTable {
 public:
  InodeTable();
  ~InodeTable();
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  InodeRef root() const { return root_; }

  // To be taken when a request that brings attributes is queued.
  AttrToken token(Ordering ordering, TimePoint now) { return AttrToken{++ticks_, ordering, now}; }

  // An absolute path on the server; set once, before the first operation.
  void set_root_path(std::string root_path) { root_path_ = std::move(root_path); }
  const std::string& root_path() const { return root_path_; }

  // Null for a number the kernel has already forgotten.
  InodeRef find(std::uint64_t id) const;
  // Null when the name is not known here.
  InodeRef find_child(const Inode& parent, const std::string& name) const;

  // The inode for a name that the server has just shown, with one more lookup counted. A known
  // inode of another type is another object: the name goes to a new inode.
  InodeRef enter(const InodeRef& parent, const std::string& name, std::uint32_t type);
  // A second name of the same object, made by link(2) through this mount; counts a lookup.
  void enter_link(const InodeRef& inode, const InodeRef& parent, const std::string& name);
  void forget(std::uint64_t id, std::uint64_t lookups);
  // Counts a lookup of our own: the inode keeps its names until it is forgotten.
  void retain(const InodeRef& inode);

  // The path of an inode on the server; kSystem/ESTALE once it has no name any more.
  Result<std::string> path(const Inode& inode) const;
  // All of them, where an inode is known to have several names; none once it has lost them.
  std::vector<std::string> paths(const Inode& inode) const;
  // The same, as directories and names in them.
  struct Place {
    InodeRef parent;
    std::string name;
  };
  std::vector<Place> places(const Inode& inode) const;
  // The path of `name` in `parent`, whether it exists or not.
  Result<std::string> path(const Inode& parent, const std::string& name) const;

  // The name has gone (unlink, rmdir, found missing); its inode may live on without it.
  void remove(const Inode& parent, const std::string& name);
  // After a successful rename on the server; what had the new name loses it.
  void rename(const Inode& from_parent, const std::string& from, const InodeRef& to_parent,
              const std::string& to);

  std::size_t size() const;
  std::vector<InodeRef> all() const;

 private:
  InodeRef create_locked(std::uint32_t type) SFTPFS_REQUIRES(mutex_);
  void link_locked(Inode& inode, Inode& parent, const std::string& name) SFTPFS_REQUIRES(mutex_);
  void unlink_locked(Inode& parent, const std::string& name) SFTPFS_REQUIRES(mutex_);
  void reap_locked(Inode& inode) SFTPFS_REQUIRES(mutex_);
  bool path_locked(const Inode& inode, std::string& path) const SFTPFS_REQUIRES(mutex_);

  std::string root_path_ = "/";
  Ticks ticks_{0};
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, InodeRef> by_id_ SFTPFS_GUARDED_BY(mutex_);
  std::uint64_t next_id_ SFTPFS_GUARDED_BY(mutex_) = kRootInode + 1;
  InodeRef root_;
};

// Keeps an inode and its names in the table.
class InodeHold {
 public:
  InodeHold(InodeTable& inodes, InodeRef inode) : inodes_(inodes), inode_(std::move(inode)) {
    inodes_.retain(inode_);
  }
  InodeHold(const InodeHold&) = delete;
  InodeHold& operator=(const InodeHold&) = delete;
  ~InodeHold() { inodes_.forget(inode_->id(), 1); }
  const InodeRef& inode() const { return inode_; }

 private:
  InodeTable& inodes_;
  const InodeRef inode_;
};

}  // namespace sftpfs::fs
