// See handlers.h: attributes of files and of the file system.
#include <sys/stat.h>

#include <utility>

#include "fs/fuse/handlers.h"

namespace sftpfs::fuse {
namespace {

using fs::Attempt;
using runtime::Task;

Task<void> do_getattr(OperationRef op, fuse_ino_t inode, std::uint64_t handle) {
  const Result<fs::AttrReply> attr =
      co_await op->filesystem().getattr(op->context(), inode, handle);
  op->reply_attr(attr, Attempt::kLookup);
}
void on_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  runtime::spawn(do_getattr(begin(request), inode, info != nullptr ? info->fh : 0));
}

fs::SetAttr to_set_attr(const struct stat& attr, int to_set, const WallTime& now) {
  fs::SetAttr change;
  change.has_mode = (to_set & FUSE_SET_ATTR_MODE) != 0;
  change.has_uid = (to_set & FUSE_SET_ATTR_UID) != 0;
  change.has_gid = (to_set & FUSE_SET_ATTR_GID) != 0;
  change.has_size = (to_set & FUSE_SET_ATTR_SIZE) != 0;
  change.has_atime = (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) != 0;
  change.has_mtime = (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0;
  change.mode = attr.st_mode;
  change.uid = attr.st_uid;
  change.gid = attr.st_gid;
  change.size = static_cast<std::uint64_t>(attr.st_size);
  change.atime.seconds = attr.st_atim.tv_sec;
  change.mtime.seconds = attr.st_mtim.tv_sec;
  if ((to_set & FUSE_SET_ATTR_ATIME_NOW) != 0) change.atime = now;
  if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0) change.mtime = now;
  return change;
}
Task<void> do_setattr(OperationRef op, fuse_ino_t inode, fs::SetAttr change, std::uint64_t handle) {
  const Result<fs::AttrReply> attr =
      co_await op->filesystem().setattr(op->context(), inode, change, handle);
  op->reply_attr(attr, Attempt::kChange);
}
void on_setattr(fuse_req_t request, fuse_ino_t inode, struct stat* attr, int to_set,
                fuse_file_info* info) {
  OperationRef op = begin(request);
  const WallTime now = op->filesystem().shared().clock.wall_now();
  const std::uint64_t handle = info != nullptr ? info->fh : 0;
  runtime::spawn(do_setattr(std::move(op), inode, to_set_attr(*attr, to_set, now), handle));
}

Task<void> do_access(OperationRef op, fuse_ino_t inode, int mask) {
  const Status allowed = co_await op->filesystem().access(op->context(), inode, mask);
  op->reply_status(allowed, Attempt::kLookup);
}
void on_access(fuse_req_t request, fuse_ino_t inode, int mask) {
  runtime::spawn(do_access(begin(request), inode, mask));
}

Task<void> do_statfs(OperationRef op) {
  const Result<fs::StatFsReply> space = co_await op->filesystem().statfs(op->context());
  op->reply_statfs(space);
}
void on_statfs(fuse_req_t request, fuse_ino_t inode) {
  static_cast<void>(inode);
  runtime::spawn(do_statfs(begin(request)));
}

}  // namespace

void add_attribute_handlers(fuse_lowlevel_ops& ops) {
  ops.getattr = on_getattr;
  ops.setattr = on_setattr;
  ops.access = on_access;
  ops.statfs = on_statfs;
}

}  // namespace sftpfs::fuse
