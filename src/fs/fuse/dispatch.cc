// See dispatch.h.
#include "fs/fuse/dispatch.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "fs/fuse/channel.h"
#include "fs/fuse/operation.h"

namespace sftpfs::fuse {
namespace {

using fs::Attempt;
using runtime::Task;

OperationRef begin(fuse_req_t request) {
  return std::make_unique<Operation>(request, *Channel::current());
}

// What the kernel and we agree on in FUSE_INIT.
void on_init(void* userdata, fuse_conn_info* connection) {
  static_cast<void>(userdata);
  constexpr unsigned kWanted = FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ |
                               FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
                               FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA |
                               FUSE_CAP_ASYNC_DIO;
  // Splicing costs more than the copy it saves; the kernel itself drops set-uid bits on write.
  constexpr unsigned kUnwanted = FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                                 FUSE_CAP_SPLICE_MOVE | FUSE_CAP_HANDLE_KILLPRIV |
                                 FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_EXPORT_SUPPORT |
                                 FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;
  connection->want |= kWanted & connection->capable;
  connection->want &= ~kUnwanted;
  connection->max_write = 1 << 20;
  // Requests in flight before the kernel holds back asynchronous ones: readahead and writeback.
  connection->max_background = 128;
  connection->congestion_threshold = 96;
  connection->time_gran = 1'000'000'000;  // SFTP v3 has whole seconds
}

Task<void> do_lookup(OperationRef op, fuse_ino_t parent, std::string name) {
  const Result<fs::EntryReply> entry =
      co_await op->filesystem().lookup(op->context(), parent, std::move(name));
  op->reply_entry(entry, Attempt::kLookup);
}
void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  runtime::spawn(do_lookup(begin(request), parent, name));
}

void on_forget(fuse_req_t request, fuse_ino_t inode, std::uint64_t lookups) {
  Channel::current()->filesystem().forget(inode, lookups);
  fuse_reply_none(request);
}
void on_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  for (std::size_t i = 0; i < count; ++i) {
    Channel::current()->filesystem().forget(forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(request);
}

Task<void> do_getattr(OperationRef op, fuse_ino_t inode) {
  const Result<fs::AttrReply> attr = co_await op->filesystem().getattr(op->context(), inode);
  op->reply_attr(attr, Attempt::kLookup);
}
void on_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(info);
  runtime::spawn(do_getattr(begin(request), inode));
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

Task<void> do_readlink(OperationRef op, fuse_ino_t inode) {
  const Result<std::string> target = co_await op->filesystem().readlink(op->context(), inode);
  op->reply_link(target);
}
void on_readlink(fuse_req_t request, fuse_ino_t inode) {
  runtime::spawn(do_readlink(begin(request), inode));
}

Task<void> do_mknod(OperationRef op, fuse_ino_t parent, std::string name, mode_t mode) {
  const Result<fs::EntryReply> entry =
      co_await op->filesystem().mknod(op->context(), parent, std::move(name), mode);
  op->reply_entry(entry, Attempt::kCreate);
}
void on_mknod(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  static_cast<void>(device);
  runtime::spawn(do_mknod(begin(request), parent, name, mode));
}

Task<void> do_mkdir(OperationRef op, fuse_ino_t parent, std::string name, mode_t mode) {
  const Result<fs::EntryReply> entry =
      co_await op->filesystem().mkdir(op->context(), parent, std::move(name), mode);
  op->reply_entry(entry, Attempt::kCreate);
}
void on_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  runtime::spawn(do_mkdir(begin(request), parent, name, mode));
}

Task<void> do_unlink(OperationRef op, fuse_ino_t parent, std::string name) {
  const Status status = co_await op->filesystem().unlink(op->context(), parent, std::move(name));
  op->reply_status(status, Attempt::kRemove);
}
void on_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  runtime::spawn(do_unlink(begin(request), parent, name));
}

Task<void> do_rmdir(OperationRef op, fuse_ino_t parent, std::string name) {
  const Status status = co_await op->filesystem().rmdir(op->context(), parent, std::move(name));
  op->reply_status(status, Attempt::kRemoveDir);
}
void on_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  runtime::spawn(do_rmdir(begin(request), parent, name));
}

Task<void> do_symlink(OperationRef op, std::string target, fuse_ino_t parent, std::string name) {
  const Result<fs::EntryReply> entry =
      co_await op->filesystem().symlink(op->context(), std::move(target), parent, std::move(name));
  op->reply_entry(entry, Attempt::kCreate);
}
void on_symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  runtime::spawn(do_symlink(begin(request), target, parent, name));
}

Task<void> do_rename(OperationRef op, fuse_ino_t parent, std::string name, fuse_ino_t new_parent,
                     std::string new_name, unsigned flags) {
  const Status status = co_await op->filesystem().rename(op->context(), parent, std::move(name),
                                                         new_parent, std::move(new_name), flags);
  op->reply_status(status, Attempt::kRename);
}
void on_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) {
  runtime::spawn(do_rename(begin(request), parent, name, new_parent, new_name, flags));
}

Task<void> do_link(OperationRef op, fuse_ino_t inode, fuse_ino_t parent, std::string name) {
  const Result<fs::EntryReply> entry =
      co_await op->filesystem().link(op->context(), inode, parent, std::move(name));
  op->reply_entry(entry, Attempt::kCreate);
}
void on_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char* name) {
  runtime::spawn(do_link(begin(request), inode, parent, name));
}

Task<void> do_open(OperationRef op, fuse_ino_t inode, int flags) {
  const Result<fs::OpenReply> open = co_await op->filesystem().open(op->context(), inode, flags);
  op->reply_open(open, Attempt::kOpen);
}
void on_open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  runtime::spawn(do_open(begin(request), inode, info->flags));
}

Task<void> do_create(OperationRef op, fuse_ino_t parent, std::string name, mode_t mode, int flags) {
  const Result<fs::CreateReply> create =
      co_await op->filesystem().create(op->context(), parent, std::move(name), mode, flags);
  op->reply_create(create, Attempt::kCreate);
}
void on_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* info) {
  runtime::spawn(do_create(begin(request), parent, name, mode, info->flags));
}

Task<void> do_read(OperationRef op, std::uint64_t handle, std::uint64_t offset,
                   std::size_t size_bytes) {
  const Result<fs::ReadReply> read =
      co_await op->filesystem().read(op->context(), handle, offset, size_bytes);
  op->reply_read(read);
}
void on_read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
             fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_read(begin(request), info->fh, static_cast<std::uint64_t>(offset), size));
}

Task<void> do_write(OperationRef op, std::uint64_t handle, std::uint64_t offset, SharedBytes data) {
  const Result<std::size_t> written =
      co_await op->filesystem().write(op->context(), handle, offset, std::move(data));
  op->reply_written(written);
}
void on_write(fuse_req_t request, fuse_ino_t inode, const char* data, std::size_t size,
              off_t offset, fuse_file_info* info) {
  static_cast<void>(inode);
  // The bytes are libfuse's until this callback returns; the copy is the one that is kept until
  // the server has acknowledged it.
  SharedBytes copy = SharedBytes::copy_of(as_byte_span(std::string_view(data, size)));
  runtime::spawn(
      do_write(begin(request), info->fh, static_cast<std::uint64_t>(offset), std::move(copy)));
}

Task<void> do_flush(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().flush(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_flush(begin(request), info->fh));
}

Task<void> do_fsync(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().fsync(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_fsync(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info) {
  static_cast<void>(inode);
  static_cast<void>(data_only);
  runtime::spawn(do_fsync(begin(request), info->fh));
}

Task<void> do_release(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().release(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_release(begin(request), info->fh));
}

Task<void> do_lseek(OperationRef op, fuse_ino_t inode, std::uint64_t offset, int whence) {
  const Result<std::uint64_t> found =
      co_await op->filesystem().lseek(op->context(), inode, offset, whence);
  op->reply_lseek(found);
}
void on_lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
              fuse_file_info* info) {
  static_cast<void>(info);
  runtime::spawn(do_lseek(begin(request), inode, static_cast<std::uint64_t>(offset), whence));
}

struct CopyRange {
  std::uint64_t from = 0;
  std::uint64_t from_offset = 0;
  std::uint64_t to = 0;
  std::uint64_t to_offset = 0;
  std::size_t size_bytes = 0;
};
Task<void> do_copy(OperationRef op, CopyRange range) {
  const Result<std::size_t> copied = co_await op->filesystem().copy_file_range(
      op->context(), range.from, range.from_offset, range.to, range.to_offset, range.size_bytes);
  op->reply_written(copied);
}
void on_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                        fuse_file_info* from_info, fuse_ino_t to, off_t to_offset,
                        fuse_file_info* to_info, std::size_t size, int flags) {
  static_cast<void>(from);
  static_cast<void>(to);
  static_cast<void>(flags);
  CopyRange range;
  range.from = from_info->fh;
  range.from_offset = static_cast<std::uint64_t>(from_offset);
  range.to = to_info->fh;
  range.to_offset = static_cast<std::uint64_t>(to_offset);
  range.size_bytes = size;
  runtime::spawn(do_copy(begin(request), range));
}

Task<void> do_opendir(OperationRef op, fuse_ino_t inode) {
  const Result<fs::OpenReply> open = co_await op->filesystem().opendir(op->context(), inode);
  op->reply_opendir(open);
}
void on_opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(info);
  runtime::spawn(do_opendir(begin(request), inode));
}

// Packs entries into the kernel's buffer.
class DirectoryBuffer final : public fs::DirectorySink {
 public:
  DirectoryBuffer(fuse_req_t request, std::size_t size_bytes, bool plus)
      : request_(request), buffer_(size_bytes), plus_(plus) {}

  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    // FUSE takes -1 for a number that is not known.
    constexpr ino_t kUnknown = 0xffffffff;
    struct stat name_only {};
    name_only.st_ino = item.ino != 0 ? item.ino : kUnknown;
    name_only.st_mode = item.type;
    char* at = buffer_.data() + used_;
    const std::size_t room = buffer_.size() - used_;
    const off_t next = static_cast<off_t>(item.next_offset);
    std::size_t size = 0;
    if (plus_) {
      fuse_entry_param param{};
      if (entry != nullptr) {
        param = to_entry_param(*entry);
      } else {
        param.attr = name_only;
      }
      size = fuse_add_direntry_plus(request_, at, room, item.name.c_str(), &param, next);
    } else {
      size = fuse_add_direntry(request_, at, room, item.name.c_str(), &name_only, next);
    }
    if (size > room) return false;
    used_ += size;
    return true;
  }
  const char* data() const { return buffer_.data(); }
  std::size_t size() const { return used_; }

 private:
  fuse_req_t request_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  bool plus_;
};

Task<void> do_readdir(OperationRef op, std::uint64_t handle, std::uint64_t offset,
                      std::size_t size_bytes, bool plus) {
  DirectoryBuffer buffer(op->request(), size_bytes, plus);
  const Status status =
      co_await op->filesystem().readdir(op->context(), handle, offset, plus, buffer);
  // What was found before an error is delivered; the error comes with the next call.
  if (!status && buffer.size() == 0) {
    op->reply_error(status.error(), Attempt::kRead);
  } else {
    op->reply_buffer(buffer.data(), buffer.size());
  }
}
void on_readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(
      do_readdir(begin(request), info->fh, static_cast<std::uint64_t>(offset), size, false));
}
void on_readdirplus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(
      do_readdir(begin(request), info->fh, static_cast<std::uint64_t>(offset), size, true));
}

Task<void> do_releasedir(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().releasedir(op->context(), handle);
  op->reply_status(status, Attempt::kRead);
}
void on_releasedir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_releasedir(begin(request), info->fh));
}

// Names are on the server when their operation returns; there is nothing left to sync.
void on_fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info) {
  static_cast<void>(inode);
  static_cast<void>(data_only);
  static_cast<void>(info);
  fuse_reply_err(request, 0);
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

// Left out on purpose, so that the kernel answers as for a local file system without the feature:
// extended attributes, fallocate, ioctl, bmap, poll; locks are the kernel's own, local ones.
fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.lookup = on_lookup;
  ops.forget = on_forget;
  ops.forget_multi = on_forget_multi;
  ops.getattr = on_getattr;
  ops.setattr = on_setattr;
  ops.access = on_access;
  ops.readlink = on_readlink;
  ops.mknod = on_mknod;
  ops.mkdir = on_mkdir;
  ops.unlink = on_unlink;
  ops.rmdir = on_rmdir;
  ops.symlink = on_symlink;
  ops.rename = on_rename;
  ops.link = on_link;
  ops.open = on_open;
  ops.create = on_create;
  ops.read = on_read;
  ops.write = on_write;
  ops.flush = on_flush;
  ops.fsync = on_fsync;
  ops.release = on_release;
  ops.lseek = on_lseek;
  ops.copy_file_range = on_copy_file_range;
  ops.opendir = on_opendir;
  ops.readdir = on_readdir;
  ops.readdirplus = on_readdirplus;
  ops.releasedir = on_releasedir;
  ops.fsyncdir = on_fsyncdir;
  ops.statfs = on_statfs;
  return ops;
}

}  // namespace sftpfs::fuse
