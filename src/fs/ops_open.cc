// Filesystem: opening files.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
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
constexpr std::uint32_t kOwnerMayRead = 0400;

// Who empties somebody else's programme may not leave its rights to what comes next. The kernel
// sees to that for writes and truncations, but not for O_TRUNC.
sftp::Attrs without_set_id(const sftp::Attrs& attrs) {
  sftp::Attrs harmless;
  harmless.flags = sftp::kAttrPermissions;
  harmless.permissions = attrs.permissions & kPermissionBits & ~S_ISUID;
  if ((attrs.permissions & S_IXGRP) != 0) harmless.permissions &= ~S_ISGID;
  harmless.permissions |= attrs.permissions & S_IFMT;
  return harmless;
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
  file->inode->settle_content(shared_.clock.wall_now(), !file->io->clean(),
                              shared_.live().kernel_cache);
  return handle_reply(file);
}

OpenReply Filesystem::handle_reply(const OpenFileRef& file) {
  Inode& inode = *file->inode;
  OpenReply reply;
  reply.keep_cache = inode.kernel_cache_is_current() || shared_.live().kernel_cache;
  reply.direct_io = shared_.live().direct_io;
  reply.handle = shared_.files.add(file);
  return reply;
}

// Whether the server would only say again what is known: for those who have chosen so (nocto).
bool Filesystem::may_open_unasked(const InodeRef& inode, int flags) const {
  constexpr std::uint64_t kSizeMax = 1 << 20;
  if (shared_.live().close_to_open) return false;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0) return false;
  const AttrView view = inode->view(shared_.clock.now());
  const bool ahead = shared_.options.durability == Durability::kFsync;
  const bool shown = ahead ? !view.in_doubt : !view.changing && !view.locally_modified;
  const bool settled = view.fresh && shown;
  const bool permitted =
      inode->is_read_permitted() || (ahead && creator_.may(view.attrs, kOwnerMayRead));
  if (!settled || view.attrs.size > kSizeMax || !permitted) return false;
  ReadReply whole;
  const std::size_t size_bytes = static_cast<std::size_t>(view.attrs.size);
  return size_bytes == 0 || FileIo::try_cached(shared_, *inode, 0, size_bytes, whole);
}

Outcome<OpenReply> Filesystem::open_unasked(std::shared_ptr<FileIo> io, int flags) {
  if (is_far_away(*io)) files_ahead_.opening(io->inode());
  auto file = std::make_shared<OpenFile>(io->slot(), access_flags(flags));
  file->inode = io->inode();
  file->io = io;
  const Result<std::string> path = shared_.inodes.path(*file->inode);
  if (!path) co_return fail(path.error());
  file->path = *path;
  describe_access(*file, flags);
  io->attach_unopened(file);
  co_return handle_reply(file);
}

Outcome<OpenReply> Filesystem::open(OperationContext& op, std::uint64_t inode, int flags) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  const bool unasked = may_open_unasked(*found, flags);
  std::shared_ptr<FileIo> io = acquire_io(*found, nullptr);
  Result<OpenReply> reply = fail(ErrorCode::kCancelled);
  if (unasked) {
    Result<OpenReply> opened = co_await runtime::run_on(io->home(), open_unasked(io, flags));
    reply = std::move(opened);
  } else if ((flags & O_TRUNC) != 0) {
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
  if ((flags & O_ACCMODE) == O_RDONLY && is_far_away(*io)) files_ahead_.opening(io->inode());
  const Result<OpenFileRef> file = co_await open_file_on(io, op, flags);
  if (!file) co_return fail(file.error());
  co_return open_reply(*file);
}

// Whether a round trip is worth avoiding.
bool Filesystem::is_far_away(FileIo& io) const {
  const ClientRef client = io.slot().session().current();
  return client && client->link().round_trip >= shared_.options.prefetch_round_trip_min;
}

Outcome<OpenFileRef> Filesystem::open_file_on(std::shared_ptr<FileIo> io, OperationContext& op,
                                              int flags) {
  const Status on_server = co_await shared_.journal.settled(op.cancel.get());
  if (!on_server) co_return fail(on_server.error());
  const InodeRef inode = io->inode();
  const bool truncate = (flags & O_TRUNC) != 0;  // on Linux with O_RDONLY, too
  // The server decides by the mode that the file has there.
  while (!io->attrs_settled()) {
    const Status settled = co_await io->settle_attrs(op.cancel.get());
    if (!settled) co_return fail(settled.error());
  }
  const bool ahead = shared_.options.durability == Durability::kFsync;
  const FileIo::Setting setting(truncate && ahead ? io : nullptr, true);
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
    inode->adopt(*attrs, token, shared_.lifetime(*attrs));
    io->attach(file);
    if (file->readable) inode->read_permitted(*attrs);
    const sftp::Attrs harmless = without_set_id(*attrs);
    if (truncate && op.uid != 0 && harmless.permissions != attrs->permissions) {
      co_await settle(file, *attrs, harmless);
      shared_.doubt_names(*inode);
    }
    co_return Result<OpenFileRef>(file);
  }
}

}  // namespace sftpfs::fs
