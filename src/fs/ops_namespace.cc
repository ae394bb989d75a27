// Filesystem: operations that change names. Each sends its request and the LSTAT of the result
// together, so that a caller waits for one round trip.
//
// When the connection is lost before the answer, nobody knows whether the change was made. The
// request is then sent again, and its answer is read with that in mind: what exists already, or
// does not exist any more, is our own work if it looks like it.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/shield.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

}  // namespace

Outcome<EntryReply> Filesystem::mkdir(OperationContext& op, std::uint64_t parent, std::string name,
                                      std::uint32_t mode) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  Making making(*directory, std::move(name));
  making.mode = mode;
  const auto early = [this, &op, &making] { return make_ahead(op, making); };
  const Result<std::optional<EntryReply>> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return **ahead;
  co_return co_await runtime::run_on(lease.loop(), make(lease.slot(), op, std::move(making)));
}

Outcome<EntryReply> Filesystem::symlink(OperationContext& op, std::string target,
                                        std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Lease lease(shared_.pool.pick());
  Making making(*directory, std::move(name));
  making.target = std::move(target);
  const auto early = [this, &op, &making] { return make_ahead(op, making); };
  const Result<std::optional<EntryReply>> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return **ahead;
  co_return co_await runtime::run_on(lease.loop(), make(lease.slot(), op, std::move(making)));
}

// What was made for somebody who has left is not looked up by anybody.
void Filesystem::forget_entry(const Result<EntryReply>& entry) {
  if (entry) shared_.inodes.forget(entry->ino, 1);
}

Outcome<EntryReply> Filesystem::make(SessionSlot& slot, OperationContext& op, Making making) {
  auto start = [this, &slot, making = std::move(making)](OperationContext& own) {
    return make_on(slot, own, making);
  };
  auto undo = [this](const Result<EntryReply>& entry) { forget_entry(entry); };
  co_return co_await shielded<EntryReply>(shared_.counters, op, std::move(start), undo);
}

Outcome<EntryReply> Filesystem::make_on(SessionSlot& slot, OperationContext& op, Making making) {
  bool in_doubt = false;
  while (true) {
    const Result<std::string> path = shared_.inodes.path(*making.parent, making.name);
    if (!path) co_return fail(path.error());
    Result<ClientRef> ready = co_await slot.session().ready(op.cancel.get());
    if (!ready) co_return fail(ready.error());
    sftp::Client& client = **ready;
    sftp::Call<void> call = making.mode ? client.mkdir(*path, with_permissions(*making.mode))
                                        : client.symlink(making.target, *path);
    const AttrToken token = shared_.token(Ordering::kBehindChanges);
    sftp::Call<sftp::Attrs> look = client.lstat(*path);
    const Status made = co_await call;
    name_made(*making.parent, making.name);
    Result<sftp::Attrs> attrs = fail(ErrorCode::kConnectionLost);
    if (!was_lost(made)) {
      Result<sftp::Attrs> found = co_await look;
      attrs = std::move(found);
    }
    if (was_lost(made) || was_lost(attrs)) {
      in_doubt = true;
      continue;
    }
    bool done = made.has_value();
    if (was_refused(made) && in_doubt && attrs) {
      std::optional<std::string> target;
      if (!making.mode) target = making.target;
      const Result<bool> ours = co_await made_before(slot, op, *path, *attrs, std::move(target));
      if (!ours) co_return fail(ours.error());
      done = *ours;
    }
    if (!done) {
      const Situation situation(Attempt::kCreate, *path);
      const Error error = co_await explain(slot, made.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    Made result(making.parent, std::move(making.name), *path, std::move(attrs), token);
    result.mode = making.mode;
    result.uid = op.uid;
    result.gid = op.gid;
    result.empty_directory = making.mode && made.has_value();
    co_return co_await created(slot, std::move(result));
  }
}

// Whether what is there is what an earlier attempt of ours has made. With `target`: a link.
Outcome<bool> Filesystem::made_before(SessionSlot& slot, OperationContext& op, std::string path,
                                      sftp::Attrs attrs, std::optional<std::string> target) {
  if (!target) co_return S_ISDIR(attrs.permissions);
  if (!S_ISLNK(attrs.permissions)) co_return false;
  auto send = [path](sftp::Client& client) { return client.readlink(path); };
  const Result<std::string> there = co_await ask<std::string>(slot, op.cancel.get(), send);
  if (!there && !was_refused(there)) co_return fail(there.error());
  co_return there&&* there == *target;
}

Outcome<EntryReply> Filesystem::mknod(OperationContext& op, std::uint64_t parent, std::string name,
                                      std::uint32_t mode) {
  // SFTP v3 makes no devices, sockets and pipes: mknod(2) says EPERM of such file systems.
  if (!S_ISREG(mode)) co_return fail(Error::system(EPERM));
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  const Lease lease(shared_.pool.pick());
  SessionSlot& slot = lease.slot();
  auto start = [this, &slot, parent = *directory, name, mode](OperationContext& own) {
    return mknod_on(slot, own, parent, name, mode);
  };
  auto undo = [this](const Result<EntryReply>& entry) { forget_entry(entry); };
  co_return co_await runtime::run_on(lease.loop(),
                                     shielded<EntryReply>(shared_.counters, op, start, undo));
}

Outcome<EntryReply> Filesystem::mknod_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                         std::string name, std::uint32_t mode) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  const Result<NewFile> file = co_await make_file(slot, op, *path, sftp::kOpenWrite, mode);
  name_made(*parent, name);
  if (!file) {
    const Situation situation(Attempt::kCreate, *path);
    const Error error = co_await explain(slot, file.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  file->client->close(file->handle).forget();
  Made result(parent, std::move(name), *path, file->attrs, file->token);
  result.mode = mode;
  result.uid = op.uid;
  result.gid = op.gid;
  co_return co_await created(slot, std::move(result));
}

Outcome<EntryReply> Filesystem::link(OperationContext& op, std::uint64_t inode,
                                     std::uint64_t parent, std::string name) {
  if (!shared_.options.hard_links) co_return fail(Error::system(EPERM));
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const Result<InodeRef> existing = find(inode);
  if (!existing) co_return fail(existing.error());
  const auto early = [this, &directory, &existing, &name] {
    return link_ahead(*existing, *directory, name);
  };
  const Result<std::optional<EntryReply>> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return **ahead;
  const Lease lease(shared_.pool.pick());
  SessionSlot& slot = lease.slot();
  auto start = [this, &slot, target = *existing, parent = *directory, name](OperationContext& own) {
    return link_on(slot, own, target, parent, name);
  };
  auto undo = [this](const Result<EntryReply>& entry) { forget_entry(entry); };
  co_return co_await runtime::run_on(lease.loop(),
                                     shielded<EntryReply>(shared_.counters, op, start, undo));
}

Outcome<EntryReply> Filesystem::link_on(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                        InodeRef parent, std::string name) {
  bool in_doubt = false;
  while (true) {
    const Result<std::string> existing = shared_.inodes.path(*inode);
    if (!existing) co_return fail(Error::system(ENOENT));
    const Result<std::string> path = shared_.inodes.path(*parent, name);
    if (!path) co_return fail(path.error());
    Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
    if (!client) co_return fail(client.error());
    // link(2) says EPERM where the file system makes no links.
    if (!(*client)->extensions().hardlink) co_return fail(Error::system(EPERM));
    const Status linked = co_await (*client)->hardlink(*existing, *path);
    name_made(*parent, name);
    if (was_lost(linked)) {
      in_doubt = true;
      continue;
    }
    bool done = linked.has_value();
    if (was_refused(linked) && in_doubt) {
      const Result<bool> ours = co_await linked_before(slot, op, *existing, *path);
      if (!ours) co_return fail(ours.error());
      done = *ours;
    }
    if (!done) {
      const Situation situation(Attempt::kCreate, *path, *existing);
      const Error error = co_await explain(slot, linked.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    shared_.inodes.enter_link(inode, parent, name);
    co_return entry_reply(inode);
  }
}

// Whether both names show the same attributes, asked for together.
Outcome<bool> Filesystem::linked_before(SessionSlot& slot, OperationContext& op,
                                        std::string existing, std::string path) {
  while (true) {
    Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
    if (!client) co_return fail(client.error());
    sftp::Call<sftp::Attrs> first_call = (*client)->lstat(existing);
    sftp::Call<sftp::Attrs> second_call = (*client)->lstat(path);
    Result<sftp::Attrs> first = co_await first_call.until(op.cancel.get());
    Result<sftp::Attrs> second = co_await second_call.until(op.cancel.get());
    if (was_lost(first) || was_lost(second)) continue;
    if (!first && !was_refused(first)) co_return fail(first.error());
    if (!second && !was_refused(second)) co_return fail(second.error());
    if (!first || !second) co_return false;
    first->atime = second->atime;
    co_return *first == *second;
  }
}

Completion Filesystem::unlink(OperationContext& op, std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  co_return co_await remove(op, *directory, std::move(name), false);
}

Completion Filesystem::rmdir(OperationContext& op, std::uint64_t parent, std::string name) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  co_return co_await remove(op, *directory, std::move(name), true);
}

Completion Filesystem::remove(OperationContext& op, InodeRef parent, std::string name,
                              bool directory) {
  const auto early = [this, &parent, &name, directory] {
    return remove_ahead(parent, name, directory);
  };
  const bool answered = co_await ahead(early);
  if (answered) co_return Status();
  const Lease lease(slot_in_order());
  SessionSlot& slot = lease.slot();
  auto start = [this, &slot, parent, name, directory](OperationContext& own) {
    return remove_on(slot, own, parent, name, directory);
  };
  co_return co_await runtime::run_on(lease.loop(), shielded(shared_.counters, op, start));
}

// Where a request comes behind all that was answered early.
SessionSlot& Filesystem::slot_in_order() {
  return shared_.journal.pending() > 0 ? shared_.journal.slot() : shared_.pool.pick();
}

Outcome<ClientRef> Filesystem::ready_in_order(SessionSlot& slot, runtime::Cancel* cancel) {
  if (&slot == &shared_.journal.slot()) {
    co_return co_await shared_.journal.ready_in_order(cancel);
  }
  co_return co_await slot.session().ready(cancel);
}

Completion Filesystem::keep_open(OperationContext& op, InodeRef inode) {
  const std::shared_ptr<FileIo> io = inode != nullptr ? inode->io() : nullptr;
  if (io == nullptr) co_return Status();
  co_return co_await runtime::run_on(io->home(), io->live(nullptr, op.cancel.get()));
}

Completion Filesystem::remove_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                 std::string name, bool directory) {
  const InodeRef child = shared_.inodes.find_child(*parent, name);
  // What is learnt by this path meanwhile may be of another object.
  const ChangeScope removal(child, Change::kOther);
  bool in_doubt = false;
  while (true) {
    const Status kept = co_await keep_open(op, child);
    if (!kept) co_return kept;
    const Result<std::string> path = shared_.inodes.path(*parent, name);
    if (!path) co_return fail(path.error());
    Result<ClientRef> client = co_await ready_in_order(slot, op.cancel.get());
    if (!client && in_doubt && child) child->forget_attrs();
    if (!client) co_return fail(client.error());
    sftp::Call<void> call = directory ? (*client)->rmdir(*path) : (*client)->remove(*path);
    const Status removed = co_await call;
    name_in_doubt(*parent, name);
    if (was_lost(removed)) {
      in_doubt = true;
      continue;
    }
    const bool gone_before = in_doubt && !removed && removed.error().is_sftp(sftp::kFxNoSuchFile);
    if (!removed && !gone_before) {
      const Attempt attempt = directory ? Attempt::kRemoveDir : Attempt::kRemove;
      const Situation situation(attempt, *path);
      const Error error = co_await explain(slot, removed.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    shared_.inodes.remove(*parent, name);
    name_removed(*parent, name);
    co_return Status();
  }
}

}  // namespace sftpfs::fs
