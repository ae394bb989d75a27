// Filesystem: creating and closing files.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/open_flags.h"
#include "fs/shield.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

const sftp::Attrs kUnset;

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

}  // namespace

Outcome<CreateReply> Filesystem::create(OperationContext& op, std::uint64_t parent,
                                        std::string name, std::uint32_t mode, int flags) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const auto early = [this, &op, &directory, &name, mode, flags] {
    return create_ahead(op, *directory, name, mode, flags);
  };
  Result<std::optional<CreateReply>> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return **ahead;
  const Lease lease(shared_.pool.pick());
  SessionSlot& slot = lease.slot();
  auto start = [this, &slot, parent = *directory, name, mode, flags](OperationContext& own) {
    return create_on(slot, own, parent, name, mode, flags);
  };
  auto undo = [this](const Result<CreateReply>& reply) { abandon_created(reply); };
  co_return co_await runtime::run_on(lease.loop(),
                                     shielded<CreateReply>(shared_.counters, op, start, undo));
}

void Filesystem::abandon_created(const Result<CreateReply>& reply) {
  if (!reply) return;
  const OpenFileRef file = shared_.files.remove(reply->open.handle);
  if (file) file->inode->release_io();
  shared_.inodes.forget(reply->entry.ino, 1);
}

// Opens a file that an earlier attempt of ours has made. Its own mode may forbid that; then it is
// put aside, and `mode` is what it gets back.
Outcome<sftp::Handle> Filesystem::open_made(ClientRef client, std::string path, std::uint32_t flags,
                                            std::uint32_t mode) {
  constexpr std::uint32_t kOwnerMayReadAndWrite = 0600;
  const bool closed = (mode & kOwnerMayReadAndWrite) != kOwnerMayReadAndWrite;
  if (!closed) {
    co_return co_await client->open(path, flags, kUnset);
  }
  client->setstat(path, with_permissions(mode | kOwnerMayReadAndWrite)).forget();
  sftp::Call<sftp::Handle> open = client->open(path, flags, kUnset);
  const Status restored = co_await client->setstat(path, with_permissions(mode));
  if (was_lost(restored)) co_return fail(restored.error());
  co_return co_await open;
}

// Exclusive, so that it is certain that the file is new. Whether it was an earlier attempt of ours
// that has made it, when a connection was lost, is told by its being an empty file.
Outcome<Filesystem::NewFile> Filesystem::make_file(SessionSlot& slot, OperationContext& op,
                                                   std::string path, std::uint32_t flags,
                                                   std::uint32_t mode) {
  const std::uint32_t wire_flags = flags | sftp::kOpenCreate | sftp::kOpenExclusive;
  const sftp::Attrs initial = with_permissions(mode);
  bool in_doubt = false;
  std::optional<std::uint32_t> mode_made;  // as it was first seen
  while (true) {
    Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
    if (!client) co_return fail(client.error());
    sftp::Call<sftp::Handle> open = (*client)->open(path, wire_flags, initial);
    const AttrToken token = shared_.token(Ordering::kBehindChanges);
    sftp::Call<sftp::Attrs> look = (*client)->lstat(path);
    Result<sftp::Handle> handle = co_await open;
    Result<sftp::Attrs> attrs = fail(ErrorCode::kConnectionLost);
    if (!was_lost(handle)) {
      Result<sftp::Attrs> found = co_await look;
      attrs = std::move(found);
    }
    const bool ours =
        in_doubt && was_refused(handle) && attrs && attrs->size == 0 && is_of_type(*attrs, S_IFREG);
    if (ours) {
      if (!mode_made) mode_made = attrs->permissions & kPermissionBits;
      Result<sftp::Handle> made = co_await open_made(*client, path, flags, *mode_made);
      handle = std::move(made);
      attrs->permissions = (attrs->permissions & ~kPermissionBits) | *mode_made;
    }
    if (was_lost(handle) || was_lost(attrs)) {
      in_doubt = true;
      continue;
    }
    if (!handle) co_return fail(handle.error());
    if (!attrs) {
      (*client)->close(*handle).forget();
      co_return fail(Error::system(to_errno(attrs.error(), Attempt::kOpen)));
    }
    NewFile file;
    file.client = *client;
    file.handle = *handle;
    file.attrs = *attrs;
    file.token = token;
    co_return Result<NewFile>(std::move(file));
  }
}

Outcome<CreateReply> Filesystem::create_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                           std::string name, std::uint32_t mode, int flags) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  const std::uint32_t wire_flags = access_flags(flags);
  Result<NewFile> made = co_await make_file(slot, op, *path, wire_flags, mode);
  name_made(*parent, name);
  if (!made) {
    if (was_refused(made) && (flags & O_EXCL) == 0) {
      co_return co_await open_existing(slot, op, parent, std::move(name), flags, made.error());
    }
    const Situation situation(Attempt::kCreate, *path);
    const Error error = co_await explain(slot, made.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  auto file = std::make_shared<OpenFile>(slot, made->client, made->handle, wire_flags);
  file->made_here = true;
  file->path = *path;
  describe_access(*file, flags);
  if (!is_of_type(made->attrs, S_IFREG)) co_return fail(Error::system(ESTALE));
  creator_.learn(mode, made->attrs, parent->view(shared_.clock.now()));
  file->inode = enter_new(parent, name, made->attrs, made->token);
  file->io = acquire_io(file->inode, &slot);
  if (&file->io->slot() != &slot) {
    // A listing has shown it to somebody who was faster to open it.
    file->inode->release_io();
    shared_.inodes.forget(file->inode->id(), 1);
    co_return co_await open_existing(slot, op, parent, std::move(name), flags,
                                     Error(ErrorCode::kBusy));
  }
  file->io->attach(file);
  sftp::Attrs owed = owed_mode(made->attrs, mode);
  const sftp::Attrs owner = owed_owner(made->attrs, *parent, op.uid, op.gid);
  owed.flags |= owner.flags;
  owed.uid = owner.uid;
  owed.gid = owner.gid;
  if (owed.flags != 0) {
    co_await settle(file, made->attrs, owed);
    shared_.doubt_names(*file->inode);
  }
  CreateReply reply;
  reply.open = open_reply(file);
  reply.entry = entry_reply(file->inode);
  co_return reply;
}

// For a create that found the name taken: somebody else has been faster than our kernel.
Outcome<CreateReply> Filesystem::open_existing(SessionSlot& slot, OperationContext& op,
                                               InodeRef parent, std::string name, int flags,
                                               Error why) {
  const Result<EntryReply> entry = co_await lookup_on(slot, op, parent, name);
  if (!entry) co_return fail(entry.error());
  if (entry->ino == 0) {
    const Result<std::string> path = shared_.inodes.path(*parent, name);
    const Situation situation(Attempt::kCreate, path ? *path : name);
    const Error error = co_await explain(slot, why, situation, op.cancel.get());
    co_return fail(error);
  }
  // ESTALE makes the kernel look for itself and do what belongs to a link or a directory.
  Result<OpenReply> opened = fail(Error::system(ESTALE));
  if (S_ISREG(entry->attr.mode)) {
    Result<OpenReply> tried = co_await this->open(op, entry->ino, flags & ~(O_CREAT | O_EXCL));
    opened = std::move(tried);
  }
  const InodeRef inode = shared_.inodes.find(entry->ino);
  if (!opened || !inode) {
    shared_.inodes.forget(entry->ino, 1);
    co_return fail(opened ? Error::system(ESTALE) : opened.error());
  }
  CreateReply reply;
  reply.open = *opened;
  reply.entry = entry_reply(inode);
  co_return reply;
}

Completion Filesystem::release(OperationContext& op, std::uint64_t handle) {
  static_cast<void>(op);
  OpenFileRef file = shared_.files.remove(handle);
  if (!file) co_return fail(Error::system(EBADF));
  runtime::Loop& home = file->io->home();
  if (shared_.options.durability == Durability::kFsync && file->writable) {
    file->released = true;
    shared_.counters.left_behind.fetch_add(1, std::memory_order_relaxed);
    // Whoever looks the name up meanwhile shall find this inode.
    auto share = std::make_shared<const IoShare>(file->io);
    home.post([this, file = std::move(file), share = std::move(share)]() mutable {
      runtime::spawn(close_ahead(std::move(file), std::move(share)));
    });
    co_return Status();
  }
  co_return co_await runtime::run_on(home, close_on(std::move(file)));
}

// Nobody waits for it.
runtime::Task<void> Filesystem::close_ahead(OpenFileRef file,
                                            std::shared_ptr<const IoShare> share) {
  runtime::Gate& closing = file->io->slot().worker().closing();
  closing.enter();
  co_await leave_as_shown(file);
  // Nobody holds the descriptor any more: who syncs the file or its directory is told.
  if (file->write_error) {
    const Error error = *std::exchange(file->write_error, std::nullopt);
    file->inode->latch_ahead_error(error);
    for (const InodeTable::Place& place : shared_.inodes.places(*file->inode)) {
      place.parent->latch_ahead_error(error);
    }
  }
  const Status closed = co_await close_on(std::move(file));
  share.reset();
  if (!closed) log_debug("a file was closed with an error: {}", closed.error().describe());
  shared_.counters.left_behind.fetch_sub(1, std::memory_order_relaxed);
  closing.leave();
}

// What everybody was told of the file is what the server shows from now on: the time of its last
// change, above all, is what it was when the application wrote.
runtime::Task<void> Filesystem::leave_as_shown(OpenFileRef file) {
  const InodeRef inode = file->inode;
  const Status drained = co_await file->io->drain(nullptr);
  if (!drained) co_return;  // never: it is not interrupted
  const Status shown = co_await file->io->pin_times(file);
  file->ours.reset();
  if (!shown) co_return;
  vouch_names(*inode, inode->view(shared_.clock.now()).attrs);
}

// Waits for what an interrupted close(2) left under way: until then the inode keeps its home.
Completion Filesystem::close_on(OpenFileRef file) {
  // The kernel may have forgotten its names when all is written.
  std::vector<InodeTable::Place> places;
  if (file->writable) places = shared_.inodes.places(*file->inode);
  Status drained = co_await file->io->drain(nullptr);
  // Up to the moment in which the descriptor dies somebody may leave an attribute to it.
  while (drained && !file->io->attrs_settled()) {
    Status settled = co_await file->io->settle_attrs(nullptr);
    drained = std::move(settled);
  }
  if (file->write_error) {
    const Result<std::string> path = shared_.inodes.path(*file->inode);
    log_error("an error of {} was never reported to its writer: {}",
              path ? *path : "a removed file", file->write_error->describe());
  }
  const InodeRef inode = file->inode;
  shared_.doubt(places);
  if (!shared_.inodes.find(inode->id())) {
    for (const InodeTable::Place& place : places) place.parent->child_left(inode->last_change());
  }
  file.reset();
  inode->release_io();
  co_return drained;
}

}  // namespace sftpfs::fs
