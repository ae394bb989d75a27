// See handlers.h: what concerns names, and how many of them the kernel remembers.
#include <string>
#include <utility>

#include "fs/fuse/handlers.h"

namespace sftpfs::fuse {
namespace {

using fs::Attempt;
using runtime::Task;

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

}  // namespace

void add_name_handlers(fuse_lowlevel_ops& ops) {
  ops.lookup = on_lookup;
  ops.forget = on_forget;
  ops.forget_multi = on_forget_multi;
  ops.readlink = on_readlink;
  ops.mknod = on_mknod;
  ops.mkdir = on_mkdir;
  ops.unlink = on_unlink;
  ops.rmdir = on_rmdir;
  ops.symlink = on_symlink;
  ops.rename = on_rename;
  ops.link = on_link;
}

}  // namespace sftpfs::fuse
