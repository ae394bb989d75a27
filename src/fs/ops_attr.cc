// Filesystem: setattr. The change and the question for its result travel together; on an open file
// behind the writes that are still on their way.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/shield.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;

// SFTP v3 times are unsigned 32-bit seconds; what does not fit goes to the nearest end.
std::uint32_t wire_seconds(const WallTime& time) {
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time.seconds, 0, kMax));
}

// The protocol carries uid with gid and atime with mtime: who changes one must know the other.
bool needs_current(const SetAttr& change) {
  return change.has_uid != change.has_gid || change.has_atime != change.has_mtime;
}

sftp::Attrs to_wire(const SetAttr& change, const sftp::Attrs& current) {
  sftp::Attrs attrs;
  if (change.has_size) {
    attrs.flags |= sftp::kAttrSize;
    attrs.size = change.size;
  }
  if (change.has_mode) {
    attrs.flags |= sftp::kAttrPermissions;
    attrs.permissions = change.mode & kPermissionBits;
  }
  if (change.has_uid || change.has_gid) {
    attrs.flags |= sftp::kAttrUidGid;
    attrs.uid = change.has_uid ? change.uid : current.uid;
    attrs.gid = change.has_gid ? change.gid : current.gid;
  }
  if (change.has_atime || change.has_mtime) {
    attrs.flags |= sftp::kAttrTimes;
    attrs.atime = change.has_atime ? wire_seconds(change.atime) : current.atime;
    attrs.mtime = change.has_mtime ? wire_seconds(change.mtime) : current.mtime;
  }
  return attrs;
}

Status map_owner(const IdMap& ids, SetAttr& change) {
  if (change.has_uid) {
    const Result<std::uint32_t> uid = ids.sent_user(change.uid);
    if (!uid) return fail(uid.error());
    change.uid = *uid;
  }
  if (change.has_gid) {
    const Result<std::uint32_t> gid = ids.sent_group(change.gid);
    if (!gid) return fail(gid.error());
    change.gid = *gid;
  }
  return {};
}

}  // namespace

Outcome<AttrReply> Filesystem::setattr(OperationContext& op, std::uint64_t inode, SetAttr change,
                                       std::uint64_t handle) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  const Status mapped = map_owner(shared_.ids, change);
  if (!mapped) co_return fail(mapped.error());
  OpenFileRef file = handle != 0 ? shared_.files.find(handle) : nullptr;
  if (file != nullptr && !file->writable) file = nullptr;
  const std::shared_ptr<FileIo> io = (*found)->io();
  if (io) {
    co_return co_await runtime::run_on(io->home(), setattr_open(io, op, change, file));
  }
  const auto early = [this, &found, &change] { return setattr_ahead(*found, change); };
  const Result<bool> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return attr_reply(**found);
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(),
                                     setattr_shielded(lease.slot(), op, *found, change, nullptr));
}

bool Filesystem::setattr_ahead(const InodeRef& inode, const SetAttr& change) {
  const AttrView view = inode->view(shared_.clock.now());
  return may_defer_on(view, change) && set_ahead(inode, to_wire(change, view.attrs));
}

// Whether the change cannot fail: the server lets the owner of a file set its times and the plain
// bits of its mode, and its owner to what it is already.
bool Filesystem::may_defer(const FileIo& io, const SetAttr& change) const {
  const AttrView view = io.inode()->view(shared_.clock.now());
  return (io.is_live() || io.is_unborn()) && may_defer_on(view, change);
}

bool Filesystem::may_defer_on(const AttrView& view, const SetAttr& change) const {
  constexpr std::uint32_t kSpecialBits = 07000;
  if (!view.fresh || shared_.live().sync_writes) return false;
  if (attrs_refused_.load(std::memory_order_relaxed)) return false;
  if ((view.attrs.flags & kWholeAttributes) != kWholeAttributes) return false;
  if (change.has_size || (change.has_atime && !change.has_mtime)) return false;
  const bool special = ((view.attrs.permissions | change.mode) & kSpecialBits) != 0;
  const bool other_user = change.has_uid && change.uid != view.attrs.uid;
  const bool other_group = change.has_gid && change.gid != view.attrs.gid;
  return !other_user && !other_group && !(change.has_mode && special);
}

Outcome<AttrReply> Filesystem::setattr_open(std::shared_ptr<FileIo> io, OperationContext& op,
                                            SetAttr change, OpenFileRef file) {
  const OpenFileRef maker = may_defer(*io, change) ? io->maker() : nullptr;
  if (maker == nullptr) {
    const Status settled = co_await io->settle_attrs(op.cancel.get());
    if (!settled) co_return fail(settled.error());
    co_return co_await setattr_shielded(io->slot(), op, io->inode(), change, file);
  }
  const sftp::Attrs known = io->inode()->view(shared_.clock.now()).attrs;
  const sftp::Attrs wire = to_wire(change, known);
  // Nothing is to be asked for when it is sent.
  if (wire.has(sftp::kAttrUidGid)) {
    change.has_uid = change.has_gid = true;
    change.uid = wire.uid;
    change.gid = wire.gid;
  }
  if (wire.has(sftp::kAttrTimes) && !change.has_atime) {
    change.has_atime = true;
    change.atime.seconds = wire.atime;
  }
  auto apply = [this](std::shared_ptr<FileIo> at, SetAttr merged, OpenFileRef by) {
    return apply_deferred(std::move(at), merged, std::move(by));
  };
  io->defer_attrs(change, maker, std::move(apply));
  io->inode()->predict(wire);
  shared_.doubt_names(*io->inode());
  co_return attr_reply(*io->inode());
}

Completion Filesystem::apply_deferred(std::shared_ptr<FileIo> io, SetAttr change,
                                      OpenFileRef file) {
  OperationContext own;
  const Status changed =
      co_await change_attrs(io->slot(), own, io->inode(), change, std::move(file));
  if (!changed) attrs_refused_.store(true, std::memory_order_relaxed);
  co_return changed;
}

Outcome<AttrReply> Filesystem::setattr_shielded(SessionSlot& slot, OperationContext& op,
                                                InodeRef inode, SetAttr change, OpenFileRef file) {
  auto start = [this, &slot, inode, change, file](OperationContext& own) {
    return setattr_on(slot, own, inode, change, file);
  };
  auto undo = [](const Result<AttrReply>&) {};
  co_return co_await shielded<AttrReply>(shared_.counters, op, start, undo);
}

// A descriptor of an inode that has lost its name; null if there is none.
OpenFileRef Filesystem::find_open(const Inode& inode, bool writable) const {
  for (const OpenFileRef& file : shared_.files.all()) {
    if (file->inode.get() == &inode && (file->writable || !writable)) return file;
  }
  return nullptr;
}

Outcome<sftp::Attrs> Filesystem::current_attrs(SessionSlot& slot, OperationContext& op,
                                               InodeRef inode, OpenFileRef file, bool with_mtime) {
  const AttrView view = inode->view(shared_.clock.now());
  // After a write of ours, the modification time is known to the server only.
  if (view.fresh && !(with_mtime && view.locally_modified)) co_return view.attrs;
  if (file != nullptr) {
    auto send = [](sftp::Client& client, const sftp::Handle& handle, sftp::Queue queue) {
      return client.fstat(handle, queue);
    };
    co_return co_await file->io->ask_file<sftp::Attrs>(file, op.cancel.get(), send);
  }
  const std::shared_ptr<FileIo> io = inode->io();
  Result<ClientRef> client = co_await client_for(slot, io, nullptr, op.cancel.get());
  if (!client) co_return fail(client.error());
  const Result<std::string> path = shared_.inodes.path(*inode);
  const OpenFileRef unnamed = path ? nullptr : find_open(*inode, false);
  if (unnamed) {
    co_return co_await current_attrs(slot, op, inode, unnamed, with_mtime);
  }
  if (!path) co_return fail(path.error());
  if (io) io->send_gathered();
  const sftp::Queue queue = io ? io->queue() : sftp::Queue::kMetadata;
  const bool root = inode->id() == kRootInode;
  sftp::Call<sftp::Attrs> look =
      root ? (*client)->stat(*path, queue) : (*client)->lstat(*path, queue);
  const Result<sftp::Attrs> attrs = co_await look.until(op.cancel.get());
  if (was_refused(attrs)) {
    co_return fail(Error::system(to_errno(attrs.error(), Attempt::kLookup)));
  }
  if (!was_lost(attrs)) co_return attrs;
  if (io) io->connection_lost();
  co_return co_await current_attrs(slot, op, inode, nullptr, with_mtime);
}

// The change itself, with the attributes that it leads to.
struct Filesystem::Changed {
  Changed() : attrs(fail(ErrorCode::kCancelled)) {}
  Status done;
  Result<sftp::Attrs> attrs;
  AttrToken token;
};

runtime::Task<Filesystem::Changed> Filesystem::change_once(ClientRef client, InodeRef inode,
                                                           std::string path, OpenFileRef file,
                                                           sftp::Attrs wire) {
  const std::shared_ptr<FileIo> io = inode->io();
  if (io) io->send_gathered();
  const sftp::Queue queue = io ? io->queue() : sftp::Queue::kMetadata;
  const bool is_link = inode->type() == S_IFLNK;
  const bool root = inode->id() == kRootInode;
  // Through the handle where there is one: it also works on a file that has lost its name.
  sftp::Call<void> set = file != nullptr ? client->fsetstat(file->handle, wire, queue)
                         : is_link       ? client->lsetstat(path, wire)
                                         : client->setstat(path, wire, queue);
  Changed changed;
  changed.token = shared_.token(Ordering::kBehindChanges);
  sftp::Call<sftp::Attrs> look = file != nullptr ? client->fstat(file->handle, queue)
                                 : root          ? client->stat(path, queue)
                                                 : client->lstat(path, queue);
  Status done = co_await set;
  changed.done = std::move(done);
  if (changed.done) {
    Result<sftp::Attrs> attrs = co_await look;
    changed.attrs = std::move(attrs);
  }
  co_return changed;
}

Outcome<AttrReply> Filesystem::setattr_on(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                          SetAttr change, OpenFileRef file) {
  const bool ahead = shared_.options.durability == Durability::kFsync;
  const std::shared_ptr<FileIo> io = ahead ? inode->io() : nullptr;
  while (io && !io->attrs_settled()) {
    const Status settled = co_await io->settle_attrs(op.cancel.get());
    if (!settled) co_return fail(settled.error());
  }
  // Other changes wait for it: they follow each other on the server as they were asked for.
  std::optional<FileIo::Setting> setting;
  setting.emplace(io, change.has_mtime || change.has_size);
  const Status changed = co_await change_attrs(slot, op, inode, change, std::move(file));
  setting.reset();
  if (!changed) co_return fail(changed.error());
  co_return co_await getattr(op, inode->id());
}

Completion Filesystem::change_attrs(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                    SetAttr change, OpenFileRef file) {
  const std::shared_ptr<FileIo> io = inode->io();
  // The caller may leave and close the file; the change stays in order with what is written to it.
  std::optional<IoShare> share;
  if (io) share.emplace(io);
  const InodeHold hold(shared_.inodes, inode);
  sftp::Attrs current;
  if (needs_current(change)) {
    const bool with_mtime = change.has_atime && !change.has_mtime;
    const Result<sftp::Attrs> known = co_await current_attrs(slot, op, inode, file, with_mtime);
    if (!known) co_return fail(known.error());
    current = *known;
  }
  const sftp::Attrs wire = to_wire(change, current);
  const bool of_content = change.has_size || change.has_mtime;
  const FileIo::Resizing resizing(change.has_size ? io : nullptr);
  ChangeScope scope(inode, of_content ? Change::kContent : Change::kOther);
  const std::vector<InodeTable::Place> places = shared_.inodes.places(*inode);
  bool in_doubt = false;
  while (true) {
    // Once sent it is sent until it is answered: writes that are sent again may have undone it.
    runtime::Cancel* const patience = in_doubt ? nullptr : op.cancel.get();
    Result<ClientRef> client = co_await client_for(slot, io, file, patience);
    if (!client && in_doubt) {
      inode->forget_attrs();
      inode->new_generation();
    }
    if (!client) co_return fail(client.error());
    if (file == nullptr) {
      const Status settled = co_await shared_.journal.settled(patience);
      if (!settled) co_return settled;
      if (io && !io->is_live()) continue;
    }
    const Result<std::string> path = shared_.inodes.path(*inode);
    if (!path && file == nullptr) {
      file = find_open(*inode, change.has_size);
      if (file == nullptr) co_return fail(path.error());
      continue;  // with a connection of which its handle is
    }
    const std::string name = path ? *path : std::string();
    if (in_doubt) scope.repeat();
    const Changed changed = co_await change_once(*client, inode, name, file, wire);
    shared_.doubt(places);
    shared_.doubt_names(*inode);
    if (was_lost(changed.done) || was_lost(changed.attrs)) {
      if (io) io->connection_lost();
      in_doubt = true;
      continue;
    }
    scope.end();
    if (!changed.done) {
      inode->expire();
      // Without the right to write, truncate(2) says EACCES; to change what one does not own,
      // EPERM.
      const Attempt attempt = change.has_size ? Attempt::kWrite : Attempt::kChange;
      const Situation situation(attempt, name);
      const Error error = co_await explain(slot, changed.done.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    if (change.has_size) {
      inode->set_size(change.size, scope.begun());
      inode->new_generation();
    }
    const bool more = io && io->attrs_deferred();
    if (more) {
      // They are shown already, and the server does not have them yet: they will bring the answer.
    } else if (changed.attrs) {
      inode->adopt(*changed.attrs, changed.token, shared_.lifetime(*changed.attrs));
    } else {
      inode->expire();
    }
    co_return Status();
  }
}

// Of an open inode the one on which its writes are, so that the change comes behind them.
Outcome<ClientRef> Filesystem::client_for(SessionSlot& slot, std::shared_ptr<FileIo> io,
                                          OpenFileRef file, runtime::Cancel* cancel) {
  if (io == nullptr) {
    co_return co_await slot.session().ready(cancel);
  }
  const Status live = co_await io->live(file, cancel);
  if (!live) co_return fail(live.error());
  co_return io->client();
}

}  // namespace sftpfs::fs
