// Filesystem: operations that change names. Each sends its request and the LSTAT of the result
// together, so that a caller waits for one round trip.
//
// The outcome of a request whose connection broke is unknown; these operations then fail with EIO
// rather than being repeated.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/check.h"
#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
// What a umask on the server can take away.
constexpr std::uint32_t kMaskableBits = 0777;

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

}  // namespace

// The reply for a fresh object whose LSTAT was queued behind its creation. If the server's umask
// took bits away that the caller's had left, they are put back.
Outcome<EntryReply> Filesystem::created(SessionSlot& slot, OperationContext& op, Made made) {
  if (!made.attrs) {
    co_return fail(Error::system(to_errno(made.attrs.error(), Attempt::kLookup)));
  }
  made.parent->names_changed();
  sftp::Attrs attrs = *made.attrs;
  const bool masked = made.mode && attrs.has(sftp::kAttrPermissions) &&
                      (attrs.permissions & kMaskableBits) != (*made.mode & kMaskableBits);
  if (masked) {
    const std::uint32_t kept = attrs.permissions & kPermissionBits & ~kMaskableBits;
    const sftp::Attrs wanted = with_permissions(kept | (*made.mode & kMaskableBits));
    const std::string path = made.path;
    auto send = [path, wanted](sftp::Client& client) { return client.setstat(path, wanted); };
    const Status fixed = co_await ask<void>(slot, op.cancel.get(), send);
    if (fixed) {
      attrs.permissions = (attrs.permissions & ~kPermissionBits) | wanted.permissions;
    }
  }
  const InodeRef inode = enter_new(made.parent, made.name, attrs, made.token);
  co_return entry_reply(inode);
}

Outcome<EntryReply> Filesystem::mkdir(OperationContext& op, std::uint64_t parent, std::string name,
                                      std::uint32_t mode) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(),
                                     mkdir_on(lease.slot(), op, *directory, std::move(name), mode));
}

Outcome<EntryReply> Filesystem::mkdir_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                         std::string name, std::uint32_t mode) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  sftp::Call<void> mkdir = (*client)->mkdir(*path, with_permissions(mode));
  const AttrToken token = shared_.token(Ordering::kBehindChanges);
  sftp::Call<sftp::Attrs> look = (*client)->lstat(*path);
  const Status made = co_await mkdir.until(op.cancel.get());
  if (!made) {
    const Situation situation(Attempt::kCreate, *path);
    const Error error = co_await explain(slot, made.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  Result<sftp::Attrs> attrs = co_await look.until(op.cancel.get());
  Made result(parent, std::move(name), *path, std::move(attrs), token);
  result.mode = mode;
  co_return co_await created(slot, op, std::move(result));
}

Outcome<EntryReply> Filesystem::mknod(OperationContext& op, std::uint64_t parent, std::string name,
                                      std::uint32_t mode) {
  // SFTP v3 makes no devices, sockets and pipes: mknod(2) says EPERM of such file systems.
  if (!S_ISREG(mode)) co_return fail(Error::system(EPERM));
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(),
                                     mknod_on(lease.slot(), op, *directory, std::move(name), mode));
}

Outcome<EntryReply> Filesystem::mknod_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                         std::string name, std::uint32_t mode) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  const std::uint32_t flags = sftp::kOpenWrite | sftp::kOpenCreate | sftp::kOpenExclusive;
  sftp::Call<sftp::Handle> open = (*client)->open(*path, flags, with_permissions(mode));
  const AttrToken token = shared_.token(Ordering::kBehindChanges);
  sftp::Call<sftp::Attrs> look = (*client)->lstat(*path);
  const Result<sftp::Handle> handle = co_await open.until(op.cancel.get());
  if (!handle) {
    const Situation situation(Attempt::kCreate, *path);
    const Error error = co_await explain(slot, handle.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  (*client)->close(*handle).forget();
  Result<sftp::Attrs> attrs = co_await look.until(op.cancel.get());
  Made result(parent, std::move(name), *path, std::move(attrs), token);
  result.mode = mode;
  co_return co_await created(slot, op, std::move(result));
}

Outcome<EntryReply> Filesystem::symlink(OperationContext& op, std::string target,
                                        std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(
      lease.loop(), symlink_on(lease.slot(), op, std::move(target), *directory, std::move(name)));
}

Outcome<EntryReply> Filesystem::symlink_on(SessionSlot& slot, OperationContext& op,
                                           std::string target, InodeRef parent, std::string name) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  sftp::Call<void> symlink = (*client)->symlink(target, *path);
  const AttrToken token = shared_.token(Ordering::kBehindChanges);
  sftp::Call<sftp::Attrs> look = (*client)->lstat(*path);
  const Status made = co_await symlink.until(op.cancel.get());
  if (!made) {
    const Situation situation(Attempt::kCreate, *path);
    const Error error = co_await explain(slot, made.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  Result<sftp::Attrs> attrs = co_await look.until(op.cancel.get());
  Made result(parent, std::move(name), *path, std::move(attrs), token);
  co_return co_await created(slot, op, std::move(result));
}

Outcome<EntryReply> Filesystem::link(OperationContext& op, std::uint64_t inode,
                                     std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Result<InodeRef> existing = find(inode);
  if (!existing) co_return fail(existing.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(
      lease.loop(), link_on(lease.slot(), op, *existing, *directory, std::move(name)));
}

Outcome<EntryReply> Filesystem::link_on(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                        InodeRef parent, std::string name) {
  const Result<std::string> existing = shared_.inodes.path(*inode);
  if (!existing) co_return fail(Error::system(ENOENT));
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  // link(2) says EPERM where the file system makes no links.
  if (!(*client)->extensions().hardlink) co_return fail(Error::system(EPERM));
  const Status linked = co_await (*client)->hardlink(*existing, *path).until(op.cancel.get());
  parent->names_changed();
  if (!linked) {
    const Situation situation(Attempt::kCreate, *path, *existing);
    const Error error = co_await explain(slot, linked.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  shared_.inodes.enter_link(inode, parent, name);
  co_return entry_reply(inode);
}

Completion Filesystem::unlink(OperationContext& op, std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(
      lease.loop(), remove_on(lease.slot(), op, *directory, std::move(name), false));
}

Completion Filesystem::rmdir(OperationContext& op, std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(
      lease.loop(), remove_on(lease.slot(), op, *directory, std::move(name), true));
}

Completion Filesystem::remove_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                 std::string name, bool directory) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  // What is learnt by this path meanwhile may be of another object.
  const ChangeScope removal(shared_.inodes.find_child(*parent, name), Change::kOther);
  sftp::Call<void> call = directory ? (*client)->rmdir(*path) : (*client)->remove(*path);
  const Status removed = co_await call.until(op.cancel.get());
  parent->names_changed();
  if (!removed) {
    const Attempt attempt = directory ? Attempt::kRemoveDir : Attempt::kRemove;
    const Situation situation(attempt, *path);
    const Error error = co_await explain(slot, removed.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  shared_.inodes.remove(*parent, name);
  co_return Status();
}

Completion Filesystem::rename(OperationContext& op, std::uint64_t parent, std::string name,
                              std::uint64_t new_parent, std::string new_name, std::uint32_t flags) {
  // rename(2): EINVAL where the file system does not know a flag (exchange, whiteout).
  if ((flags & ~static_cast<std::uint32_t>(RENAME_NOREPLACE)) != 0) {
    co_return fail(Error::system(EINVAL));
  }
  const Result<InodeRef> from = find(parent);
  if (!from) co_return fail(from.error());
  const Result<InodeRef> to = find(new_parent);
  if (!to) co_return fail(to.error());
  const bool replace = (flags & RENAME_NOREPLACE) == 0;
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(
      lease.loop(),
      rename_on(lease.slot(), op, *from, std::move(name), *to, std::move(new_name), replace));
}

Completion Filesystem::rename_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                 std::string name, InodeRef new_parent, std::string new_name,
                                 bool replace) {
  const Result<std::string> from = shared_.inodes.path(*parent, name);
  if (!from) co_return fail(from.error());
  const Result<std::string> to = shared_.inodes.path(*new_parent, new_name);
  if (!to) co_return fail(to.error());
  Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
  if (!client) co_return fail(client.error());
  // SSH_FXP_RENAME fails where the new name exists: just what NOREPLACE wants, and all there is
  // on servers without posix-rename.
  const bool posix = replace && (*client)->extensions().posix_rename;
  const ChangeScope moved(shared_.inodes.find_child(*parent, name), Change::kOther);
  const ChangeScope replaced(shared_.inodes.find_child(*new_parent, new_name), Change::kOther);
  sftp::Call<void> call =
      posix ? (*client)->posix_rename(*from, *to) : (*client)->rename(*from, *to);
  const Status renamed = co_await call.until(op.cancel.get());
  parent->names_changed();
  new_parent->names_changed();
  if (!renamed) {
    const Attempt attempt = replace ? Attempt::kRename : Attempt::kCreate;
    const Situation situation(attempt, *to, *from);
    const Error error = co_await explain(slot, renamed.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  shared_.inodes.rename(*parent, name, new_parent, new_name);
  co_return Status();
}

}  // namespace sftpfs::fs
