// See convert.h.
#include "fs/fuse/convert.h"

namespace sftpfs::fuse {
namespace {

timespec to_timespec(const WallTime& time) {
  return timespec{static_cast<time_t>(time.seconds), static_cast<long>(time.nanoseconds)};
}

}  // namespace

struct stat to_stat(const fs::FileAttr& attr) {
  struct stat out {};
  out.st_ino = attr.ino;
  out.st_mode = attr.mode;
  out.st_nlink = attr.nlink;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blocks = static_cast<blkcnt_t>(attr.blocks);
  out.st_atim = to_timespec(attr.atime);
  out.st_mtim = to_timespec(attr.mtime);
  out.st_ctim = to_timespec(attr.ctime);
  return out;
}

struct statvfs to_statvfs(const fs::StatFsReply& space) {
  struct statvfs out {};
  out.f_bsize = space.block_size;
  out.f_frsize = space.fragment_size;
  out.f_blocks = space.blocks;
  out.f_bfree = space.blocks_free;
  out.f_bavail = space.blocks_available;
  out.f_files = space.files;
  out.f_ffree = space.files_free;
  out.f_namemax = space.name_max;
  return out;
}

fuse_entry_param to_entry_param(const fs::EntryReply& entry) {
  fuse_entry_param out{};
  out.ino = entry.ino;
  out.attr_timeout = entry.attr_timeout_s;
  out.entry_timeout = entry.entry_timeout_s;
  if (entry.ino != 0) out.attr = to_stat(entry.attr);
  return out;
}

fuse_file_info to_file_info(const fs::OpenReply& open) {
  fuse_file_info info{};
  info.fh = open.handle;
  info.keep_cache = open.keep_cache ? 1 : 0;
  info.direct_io = open.direct_io ? 1 : 0;
  return info;
}

}  // namespace sftpfs::fuse
