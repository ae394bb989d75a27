// Creator: who the session is on the server, and what becomes of the modes of what it makes; learnt
// from what it has made, so that the next object's attributes are known before it is there.
//
// Ownership: Filesystem's.
// Threads:   any; one mutex, held for a few assignments.
// Limits:    a server may treat one directory otherwise than another (ACLs): then what was told is
//            put right when the attributes are seen.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>

#include "base/thread_annotations.h"
#include "fs/inode.h"
#include "sftp/types.h"

namespace sftpfs::fs {

class Creator {
 public:
  // An object has been made in `directory`, with `mode` asked for, and its attributes seen.
  void learn(std::uint32_t mode, const sftp::Attrs& made, const AttrView& directory) {
    if (!made.has(sftp::kAttrPermissions) || !made.has(sftp::kAttrUidGid)) return;
    const MutexLock lock(mutex_);
    known_ = true;
    uid_ = made.uid;
    // A set-group-ID directory gives its own group.
    const bool own_group = directory.known && (directory.attrs.permissions & S_ISGID) == 0;
    if (own_group) gid_ = made.gid;
    kept_bits_ |= mode & made.permissions & kMaskable;
    kept_bits_ &= ~(mode & ~made.permissions & kMaskable);
  }
  // The owner of the login directory, until something is made.
  void learn_user(std::uint32_t uid) {
    const MutexLock lock(mutex_);
    if (!user_known_) uid_ = uid;
    user_known_ = true;
  }

  // The attributes of a fresh object, as far as they are certain: owner and mode, with the type.
  std::optional<sftp::Attrs> predict(std::uint32_t mode) const {
    const MutexLock lock(mutex_);
    const bool kept = S_ISLNK(mode) || (mode & 07777 & ~kept_bits_) == 0;
    if (!known_ || !gid_ || !kept) return std::nullopt;
    sftp::Attrs attrs;
    attrs.flags = sftp::kAttrSize | sftp::kAttrUidGid | sftp::kAttrPermissions | sftp::kAttrTimes;
    attrs.uid = uid_;
    attrs.gid = *gid_;
    attrs.permissions = mode;
    return attrs;
  }
  // Whether the server lets the session do what needs the owner's `bits` (0700) of the object.
  bool may(const sftp::Attrs& object, std::uint32_t bits) const {
    if (!object.has(sftp::kAttrPermissions) || !object.has(sftp::kAttrUidGid)) return false;
    const MutexLock lock(mutex_);
    if (!known_ && !user_known_) return false;
    if (uid_ == 0) return true;
    return object.uid == uid_ && (object.permissions & bits) == bits;
  }
  bool owns(const sftp::Attrs& object) const { return may(object, 0); }

 private:
  static constexpr std::uint32_t kMaskable = 0777;
  mutable Mutex mutex_;
  bool known_ SFTPFS_GUARDED_BY(mutex_) = false;
  bool user_known_ SFTPFS_GUARDED_BY(mutex_) = false;
  std::uint32_t uid_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::optional<std::uint32_t> gid_ SFTPFS_GUARDED_BY(mutex_);
  std::uint32_t kept_bits_ SFTPFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace sftpfs::fs
