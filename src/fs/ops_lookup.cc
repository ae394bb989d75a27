// Filesystem: operations that look at names and attributes.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::size_t kNameMax = 255;

}  // namespace

Outcome<EntryReply> Filesystem::lookup(OperationContext& op, std::uint64_t parent,
                                       std::string name) {
  if (name.size() > kNameMax) co_return fail(Error::system(ENAMETOOLONG));
  const Result<InodeRef> directory = find(parent);
  if (!directory) co_return fail(directory.error());
  const NameAnswer answer = hot_.look_up(*directory, name);
  const std::optional<EntryReply> listed = find_listed(*directory, name, answer);
  if (listed) co_return *listed;
  const Lease lease(slot_in_order());
  co_return co_await runtime::run_on(lease.loop(),
                                     lookup_on(lease.slot(), op, *directory, std::move(name)));
}

// A known inode keeps what is known of it, which may be newer than the listing.
std::optional<EntryReply> Filesystem::find_listed(const InodeRef& parent, const std::string& name,
                                                  const NameAnswer& answer) {
  const TimePoint now = shared_.clock.now();
  if (answer.presence == Presence::kAbsent) {
    EntryReply missing;
    missing.entry_timeout_s = shared_.live().kernel_negative_timeout_s;
    return missing;
  }
  const bool whole = (answer.attrs.flags & kWholeAttributes) == kWholeAttributes;
  if (answer.presence == Presence::kUnknown || !whole) return std::nullopt;
  // A directory that rests is known for longer than a file in it that has just been written.
  const bool believed = now < answer.token.asked_at + shared_.lifetime(answer.attrs);
  if (!believed) return std::nullopt;
  const InodeRef known = shared_.inodes.find_child(*parent, name);
  if (answer.vouched && (!known || !known->view(now).fresh)) return std::nullopt;
  const std::uint32_t type = answer.attrs.permissions & S_IFMT;
  if (known && !known->view(now).fresh) {
    if (known->type() != type) return std::nullopt;
    known->adopt(answer.attrs, answer.token, shared_.lifetime(answer.attrs));
    if (!known->view(now).fresh) return std::nullopt;
  }
  if (!known) {
    const InodeRef seen = enter_seen(parent, name, answer.attrs, answer.token);
    return seen ? std::optional(entry_reply(seen)) : std::nullopt;
  }
  const InodeRef inode = shared_.inodes.enter(parent, name, known->type());
  if (inode != known) inode->adopt(answer.attrs, answer.token, shared_.lifetime(answer.attrs));
  return entry_reply(inode);
}

Outcome<EntryReply> Filesystem::lookup_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                          std::string name) {
  const Result<std::string> path = shared_.inodes.path(*parent, name);
  if (!path) co_return fail(path.error());
  AttrToken token;
  Result<sftp::Attrs> attrs = fail(ErrorCode::kConnectionLost);
  while (was_lost(attrs)) {
    Result<ClientRef> client = co_await ready_in_order(slot, op.cancel.get());
    if (!client) co_return fail(client.error());
    token = shared_.token(Ordering::kIndependent);
    sftp::Call<sftp::Attrs> look = (*client)->lstat(*path);
    Result<sftp::Attrs> answer = co_await look.until(op.cancel.get());
    attrs = std::move(answer);
  }
  if (attrs) {
    const InodeRef inode = enter_seen(parent, name, *attrs, token);
    if (inode) co_return entry_reply(inode);
    co_return co_await lookup_on(slot, op, parent, name);
  }
  if (!attrs.error().is_sftp(sftp::kFxNoSuchFile)) {
    const Situation situation(Attempt::kLookup, *path);
    const Error error = co_await explain(slot, attrs.error(), situation, op.cancel.get());
    co_return fail(error);
  }
  shared_.inodes.remove(*parent, name);
  shared_.listings.removed(*parent, name);
  hot_.missed(*parent, name);
  EntryReply missing;
  missing.entry_timeout_s = shared_.live().kernel_negative_timeout_s;
  co_return missing;
}

Outcome<AttrReply> Filesystem::getattr(OperationContext& op, std::uint64_t inode,
                                       std::uint64_t handle) {
  Result<AttrReply> reply = co_await getattr_by_number(op, inode);
  // Its name may be another file's by now, and what is seen by it is of that.
  const OpenFileRef file = handle != 0 ? shared_.files.find(handle) : nullptr;
  if (file && file->stale.load(std::memory_order_acquire)) co_return fail(Error::system(ESTALE));
  co_return reply;
}

Outcome<AttrReply> Filesystem::getattr_by_number(OperationContext& op, std::uint64_t inode) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  if ((*found)->view(shared_.clock.now()).fresh) co_return attr_reply(**found);
  if (inode == kRootInode) co_return co_await getattr_root(op, *found);
  co_return co_await getattr_asked(op, *found);
}

// umount(8) looks at the mounted directory before it unmounts and must not hang because the server
// is away, nor must a shell in the directory above: they get what was known last.
Outcome<AttrReply> Filesystem::getattr_root(OperationContext& op, InodeRef root) {
  constexpr Duration kPatience = std::chrono::seconds(5);
  runtime::Timer timer(*runtime::Loop::current());
  timer.start_after(kPatience,
                    [cancel = op.cancel] { cancel->cancel(runtime::CancelReason::kTimedOut); });
  const Result<AttrReply> reply = co_await getattr_asked(op, root);
  const bool timed_out = op.cancel->reason() == runtime::CancelReason::kTimedOut;
  const bool known = root->view(shared_.clock.now()).known;
  if (reply || !timed_out || !known) co_return reply;
  co_return attr_reply(*root);
}

Outcome<AttrReply> Filesystem::getattr_asked(OperationContext& op, InodeRef inode) {
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  const std::shared_ptr<FileIo> io = inode->io();
  if (io) {
    co_return co_await runtime::run_on(io->home(), getattr_on(io->slot(), op, inode));
  }
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(), getattr_on(lease.slot(), op, inode));
}

Outcome<AttrReply> Filesystem::getattr_on(SessionSlot& slot, OperationContext& op, InodeRef inode) {
  const Result<std::string> path = shared_.inodes.path(*inode);
  if (!path) {
    co_return co_await getattr_unnamed(op, inode, path.error());
  }
  AttrToken token;
  const bool root = inode->id() == kRootInode;
  const std::shared_ptr<FileIo> io = inode->io();
  const bool at_home = io && &io->slot() == &slot;
  if (at_home) {
    const Status settled = co_await io->settle_attrs(op.cancel.get());
    if (!settled) co_return fail(settled.error());
    const Status live = co_await io->live(nullptr, op.cancel.get());
    if (!live) co_return fail(live.error());
  }
  auto send = [this, root, at_home, &io, &path, &token](sftp::Client& client) {
    // Of an open file behind what has been written to it.
    const bool behind = at_home && io->is_live();
    if (behind) io->send_gathered();
    const sftp::Queue queue = behind ? io->queue() : sftp::Queue::kMetadata;
    token = shared_.token(behind ? Ordering::kBehindChanges : Ordering::kIndependent);
    // The mounted directory itself may be a link on the server.
    return root ? client.stat(*path, queue) : client.lstat(*path, queue);
  };
  const Result<sftp::Attrs> attrs = co_await ask<sftp::Attrs>(slot, op.cancel.get(), send);
  if (!attrs) {
    const Error error = Error::system(to_errno(attrs.error(), Attempt::kLookup));
    if (error.os_errno() != ENOENT) co_return fail(error);
    const Result<std::string> name_now = shared_.inodes.path(*inode);
    const bool renamed = name_now && *name_now != *path;
    if (renamed) {
      co_return co_await getattr_on(slot, op, inode);
    }
    shared_.doubt_names(*inode);
    co_return co_await getattr_unnamed(op, inode, error);
  }
  if (attrs->has(sftp::kAttrPermissions) && (attrs->permissions & S_IFMT) != inode->type()) {
    // Another object has taken the name; the kernel looks the name up again.
    shared_.doubt_names(*inode);
    co_return fail(Error::system(ESTALE));
  }
  inode->adopt(*attrs, token, shared_.lifetime(*attrs));
  co_return attr_reply(*inode);
}

// A removed file that is still open can only be asked for by its handle.
Outcome<AttrReply> Filesystem::getattr_unnamed(OperationContext& op, InodeRef inode,
                                               Error no_name) {
  const OpenFileRef open_file = find_open(*inode, false);
  if (open_file == nullptr) co_return fail(no_name);
  co_return co_await runtime::run_on(open_file->io->home(), getattr_by_handle(op, open_file));
}

Outcome<AttrReply> Filesystem::getattr_by_handle(OperationContext& op, OpenFileRef file) {
  const Status settled = co_await file->io->settle_attrs(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  AttrToken token;
  auto send = [this, &token](sftp::Client& client, const sftp::Handle& handle, sftp::Queue queue) {
    token = shared_.token(Ordering::kBehindChanges);
    return client.fstat(handle, queue);
  };
  const Result<sftp::Attrs> attrs =
      co_await file->io->ask_file<sftp::Attrs>(file, op.cancel.get(), send);
  if (!attrs) co_return fail(Error::system(to_errno(attrs.error(), Attempt::kRead)));
  file->inode->adopt(*attrs, token, shared_.lifetime(*attrs));
  AttrReply reply = attr_reply(*file->inode);
  reply.attr.nlink = 0;
  co_return reply;
}

// Only without default_permissions: then whoever may use the mount has the rights of the remote
// user, and the server decides. Executing is decided here, by the kernel's own rule that somebody
// must be allowed to.
Completion Filesystem::access(OperationContext& op, std::uint64_t inode, int mask) {
  const Result<AttrReply> attr = co_await getattr(op, inode);
  if (!attr) co_return fail(attr.error());
  const bool executable = (attr->attr.mode & 0111U) != 0;
  if ((mask & X_OK) != 0 && S_ISREG(attr->attr.mode) && !executable) {
    co_return fail(Error::system(EACCES));
  }
  co_return Status();
}

Outcome<std::string> Filesystem::readlink(OperationContext& op, std::uint64_t inode) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(), readlink_on(lease.slot(), op, *found));
}

Outcome<std::string> Filesystem::readlink_on(SessionSlot& slot, OperationContext& op,
                                             InodeRef inode) {
  const Result<std::string> path = shared_.inodes.path(*inode);
  if (!path) co_return fail(path.error());
  auto send = [&path](sftp::Client& client) { return client.readlink(*path); };
  const Result<std::string> target = co_await ask<std::string>(slot, op.cancel.get(), send);
  if (!target) co_return fail(Error::system(to_errno(target.error(), Attempt::kReadLink)));
  // A link cannot be empty or hold a NUL; a server that says so is not believed.
  if (target->empty() || target->find('\0') != std::string::npos) {
    co_return fail(Error::system(EIO));
  }
  co_return shown_target(shared_.options.links, shared_.inodes.root_path(), *path, *target);
}

// umount(8) asks for it before it unmounts and must not hang because the server is away: then it
// gets what was known last.
Outcome<StatFsReply> Filesystem::statfs(OperationContext& op) {
  const Lease lease(shared_.pool.pick());
  co_return co_await runtime::run_on(lease.loop(), statfs_on(lease.slot(), op.cancel));
}

Outcome<StatFsReply> Filesystem::statfs_on(SessionSlot& slot,
                                           std::shared_ptr<runtime::Cancel> cancel) {
  constexpr Duration kPatience = std::chrono::seconds(1);
  runtime::Timer timer(slot.loop());
  timer.start_after(kPatience, [cancel] { cancel->cancel(runtime::CancelReason::kTimedOut); });
  const std::string path = shared_.inodes.root_path();
  auto send = [&path](sftp::Client& client) { return client.statvfs(path); };
  const Result<sftp::StatVfs> space = co_await ask<sftp::StatVfs>(slot, cancel.get(), send);
  if (space) {
    StatFsReply reply;
    reply.block_size = space->block_size;
    reply.fragment_size = space->fragment_size != 0 ? space->fragment_size : space->block_size;
    reply.blocks = space->blocks;
    reply.blocks_free = space->blocks_free;
    reply.blocks_available = space->blocks_available;
    reply.files = space->files;
    reply.files_free = space->files_free;
    reply.name_max = space->name_max != 0 ? space->name_max : kNameMax;
    shared_.space.set(reply);
    co_return reply;
  }
  const bool timed_out = cancel->reason() == runtime::CancelReason::kTimedOut;
  // Some announce the extension and do not have it.
  const bool lacking = space.error().is_sftp(sftp::kFxOpUnsupported);
  if ((was_refused(space) && !lacking) || (cancel->cancelled() && !timed_out)) {
    co_return fail(Error::system(to_errno(space.error(), Attempt::kStatFs)));
  }
  co_return shared_.space.get();
}

}  // namespace sftpfs::fs
