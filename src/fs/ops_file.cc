// Filesystem: opening, creating and closing files.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/shield.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

const sftp::Attrs kUnset;

// SFTP v3 times have whole seconds: within this time after its last change a file may change
// again without showing it, so what is cached of it is not trusted at open.
constexpr std::int64_t kUnseenChangeSeconds = 2;

std::uint32_t access_flags(int flags) {
  const int mode = flags & O_ACCMODE;
  std::uint32_t out = 0;
  if (mode == O_RDONLY || mode == O_RDWR) out |= sftp::kOpenRead;
  if (mode == O_WRONLY || mode == O_RDWR) out |= sftp::kOpenWrite;
  if ((flags & O_APPEND) != 0 && mode != O_RDONLY) out |= sftp::kOpenAppend;
  return out;
}

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

bool is_of_type(const sftp::Attrs& attrs, std::uint32_t type) {
  return !attrs.has(sftp::kAttrPermissions) || (attrs.permissions & S_IFMT) == type;
}

// Who empties somebody else's programme may not leave its rights to what comes next. The kernel
// sees to that for writes and truncations, but not for O_TRUNC.
sftp::Attrs without_set_id(const sftp::Attrs& attrs) {
  sftp::Attrs harmless = with_permissions(attrs.permissions & ~S_ISUID);
  if ((attrs.permissions & S_IXGRP) != 0) harmless.permissions &= ~S_ISGID;
  harmless.permissions |= attrs.permissions & S_IFMT;
  return harmless;
}

void describe_access(OpenFile& file, int flags) {
  const int mode = flags & O_ACCMODE;
  file.readable = mode != O_WRONLY;
  file.writable = mode != O_RDONLY;
  file.append = (flags & O_APPEND) != 0;
}

}  // namespace

std::shared_ptr<FileIo> Filesystem::acquire_io(const InodeRef& inode, SessionSlot* slot) {
  const auto make = [this, &inode, slot] {
    SessionSlot& home = slot != nullptr ? *slot : shared_.pool.pick();
    return std::make_shared<FileIo>(shared_, home, inode);
  };
  return inode->acquire_io(make);
}

// Whether what this mount has cached of the file may be used by a fresh open; if not, it is
// dropped here and in the kernel.
OpenReply Filesystem::open_reply(const OpenFileRef& file) {
  Inode& inode = *file->inode;
  const AttrView view = inode.view(shared_.clock.now());
  const std::int64_t now_s = shared_.clock.wall_now().seconds;
  const bool may_hide_change = std::int64_t{view.attrs.mtime} + kUnseenChangeSeconds >= now_s;
  const bool ours = file->io->clean() ? view.locally_modified : true;
  if (may_hide_change && !ours && !shared_.options.kernel_cache) inode.new_generation();
  OpenReply reply;
  reply.keep_cache = inode.kernel_cache_is_current() || shared_.options.kernel_cache;
  reply.direct_io = shared_.options.direct_io;
  reply.handle = shared_.files.add(file);
  return reply;
}

Outcome<OpenReply> Filesystem::open(OperationContext& op, std::uint64_t inode, int flags) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  std::shared_ptr<FileIo> io = acquire_io(*found, nullptr);
  Result<OpenReply> reply = fail(ErrorCode::kCancelled);
  if ((flags & O_TRUNC) != 0) {
    Result<OpenReply> opened = co_await runtime::run_on(io->home(), open_truncated(io, op, flags));
    reply = std::move(opened);
  } else {
    Result<OpenReply> opened = co_await runtime::run_on(io->home(), open_on(io, op, flags));
    reply = std::move(opened);
  }
  if (!reply) {
    (*found)->release_io();
  } else if ((*found)->kernel_attrs_are_old()) {
    // Else reads would end at the size that the kernel still believes for a while.
    shared_.notifier->attributes_changed(inode);
  }
  co_return reply;
}

// The truncation happens even if its caller does not wait for it.
Outcome<OpenReply> Filesystem::open_truncated(std::shared_ptr<FileIo> io, OperationContext& op,
                                              int flags) {
  auto start = [this, io, flags](OperationContext& own) { return open_on(io, own, flags); };
  auto undo = [this](const Result<OpenReply>& reply) {
    if (reply) shared_.files.remove(reply->handle);
  };
  co_return co_await shielded<OpenReply>(shared_.counters, op, std::move(start), std::move(undo));
}

Outcome<OpenReply> Filesystem::open_on(std::shared_ptr<FileIo> io, OperationContext& op,
                                       int flags) {
  const InodeRef inode = io->inode();
  const bool truncate = (flags & O_TRUNC) != 0;  // on Linux with O_RDONLY, too
  // The server decides by the mode that the file has there.
  const Status settled = co_await io->settle_attrs(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  std::optional<IoShare> share;
  if (truncate) {
    share.emplace(io);
    // Nothing accepted before may arrive after the truncation.
    const Status drained = co_await io->drain(op.cancel.get());
    if (!drained) co_return fail(drained.error());
  }
  const FileIo::Resizing resizing(truncate ? io : nullptr);
  std::uint32_t wire_flags = access_flags(flags);
  if (truncate) wire_flags |= sftp::kOpenTruncate;
  ChangeScope truncation(truncate ? inode : nullptr, Change::kContent);
  bool in_doubt = false;
  while (true) {
    runtime::Cancel* const patience = in_doubt ? nullptr : op.cancel.get();
    const Status live = co_await io->live(nullptr, patience);
    if (!live && in_doubt) {
      inode->forget_attrs();
      inode->new_generation();
    }
    if (!live) co_return fail(live.error());
    const ClientRef client = io->client();
    const Result<std::string> path = shared_.inodes.path(*inode);
    if (!path) co_return fail(path.error());
    if (in_doubt) truncation.repeat();
    sftp::Call<sftp::Handle> open = client->open(*path, wire_flags, sftp::Attrs());
    const AttrToken token =
        shared_.token(io->clean() ? Ordering::kBehindChanges : Ordering::kIndependent);
    sftp::Call<sftp::Attrs> look = client->lstat(*path);
    runtime::Cancel* const answer_wanted = truncate ? nullptr : op.cancel.get();
    const Result<sftp::Handle> handle = co_await open.until(answer_wanted);
    if (was_lost(handle)) {
      in_doubt = truncate;
      continue;
    }
    truncation.end();
    if (truncate) {
      if (handle) inode->set_size(0, truncation.begun());
      shared_.doubt_names(*inode);
      inode->new_generation();
    }
    if (!handle) {
      inode->expire();
      // The name has gone behind our back: ESTALE makes the kernel look it up again.
      const bool gone = handle.error().is_sftp(sftp::kFxNoSuchFile);
      if (gone) shared_.doubt_names(*inode);
      if (gone) co_return fail(Error::system(ESTALE));
      const bool to_write = truncate || (flags & O_ACCMODE) != O_RDONLY;
      const Situation situation(to_write ? Attempt::kOpenToWrite : Attempt::kOpen, *path);
      const Error error = co_await explain(io->slot(), handle.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    auto file = std::make_shared<OpenFile>(io->slot(), client, *handle, wire_flags);
    file->inode = inode;
    file->io = io;
    file->path = *path;
    describe_access(*file, flags);
    const Result<sftp::Attrs> attrs = co_await look.until(op.cancel.get());
    if (was_lost(attrs)) continue;
    if (!attrs) co_return fail(Error::system(to_errno(attrs.error(), Attempt::kOpen)));
    // Something else has taken the name, and the handle is of that.
    if (!is_of_type(*attrs, inode->type())) co_return fail(Error::system(ESTALE));
    inode->adopt(*attrs, token, shared_.options.attr_lifetime);
    io->attach(file);
    const sftp::Attrs harmless = without_set_id(*attrs);
    if (truncate && op.uid != 0 && harmless.permissions != attrs->permissions) {
      co_await settle(file, *attrs, harmless);
      shared_.doubt_names(*inode);
    }
    co_return open_reply(file);
  }
}

Outcome<CreateReply> Filesystem::create(OperationContext& op, std::uint64_t parent,
                                        std::string name, std::uint32_t mode, int flags) {
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
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
  co_return co_await runtime::run_on(home, close_on(std::move(file)));
}

// Waits for what an interrupted close(2) left under way: until then the inode keeps its home.
Completion Filesystem::close_on(OpenFileRef file) {
  // The kernel may have forgotten its names when all is written.
  std::vector<InodeTable::Place> places;
  if (file->writable) places = shared_.inodes.places(*file->inode);
  Status drained = co_await file->io->drain(nullptr);
  const Status settled = co_await file->io->settle_attrs(nullptr);
  if (!settled) drained = settled;
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
