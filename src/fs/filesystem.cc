// Filesystem: what the operations have in common, the start and the end. See filesystem.h.
#include "fs/filesystem.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/directory_stream.h"
#include "fs/file_io.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kBlockBytes = 512;
// What a server means that sends no permissions.
constexpr std::uint32_t kModeUnknown = S_IFREG | 0600;

// More than there ever is, whatever the capacity becomes meanwhile, is granted only when nothing
// is under way.
runtime::Task<Status> wait_until_clean(Worker& worker, runtime::Cancel* cancel) {
  constexpr std::size_t kEverything = std::numeric_limits<std::size_t>::max() / 2;
  const Status clean = co_await worker.dirty_bytes().acquire(kEverything, cancel);
  if (clean) {
    worker.dirty_bytes().release(kEverything);
  } else {
    log_error("{} bytes did not reach the server", worker.dirty_bytes().in_use());
  }
  co_return clean;
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Filesystem::Filesystem(Shared& shared)
    : shared_(shared),
      prefetch_(shared),
      hot_(shared),
      files_ahead_(shared, [this](const FilePrefetch::Held& held) { begin_fetch(held); }) {}

Result<InodeRef> Filesystem::find(std::uint64_t inode) const {
  InodeRef found = shared_.inodes.find(inode);
  if (!found) return fail(Error::system(ESTALE));
  return found;
}

Result<OpenFileRef> Filesystem::find_file(std::uint64_t handle) const {
  OpenFileRef found = shared_.files.find(handle);
  if (!found) return fail(Error::system(EBADF));
  return found;
}

FileAttr Filesystem::to_file_attr(const Inode& inode, const sftp::Attrs& attrs) const {
  const FixedOptions& options = shared_.options;
  FileAttr out;
  out.ino = inode.id();
  const std::uint32_t mode = attrs.has(sftp::kAttrPermissions) ? attrs.permissions : kModeUnknown;
  out.mode = (mode & ~static_cast<std::uint32_t>(S_IFMT)) | inode.type();
  if (options.umask) out.mode &= ~(*options.umask & 07777U);
  out.uid = options.uid.value_or(shared_.ids.shown_user(attrs.uid));
  out.gid = options.gid.value_or(shared_.ids.shown_group(attrs.gid));
  out.size = attrs.size;
  out.blocks = (attrs.size + kBlockBytes - 1) / kBlockBytes;
  out.atime.seconds = attrs.atime;
  out.mtime.seconds = attrs.mtime;
  out.ctime.seconds = attrs.mtime;  // SFTP v3 has no ctime
  return out;
}

AttrReply Filesystem::attr_reply(Inode& inode) const {
  const AttrView view = inode.view(shared_.clock.now());
  AttrReply reply;
  reply.attr = to_file_attr(inode, view.attrs);
  // The kernel may not believe anything longer than we do.
  reply.timeout_s = std::min(shared_.live().kernel_attr_timeout_s, seconds(view.remaining));
  if (view.locally_modified) reply.timeout_s = 0;
  inode.tell_kernel(view.attrs);
  return reply;
}

EntryReply Filesystem::entry_reply(const InodeRef& inode) const {
  const AttrReply attr = attr_reply(*inode);
  EntryReply reply;
  reply.ino = inode->id();
  reply.attr = attr.attr;
  reply.attr_timeout_s = attr.timeout_s;
  reply.entry_timeout_s = shared_.live().kernel_entry_timeout_s;
  return reply;
}

InodeRef Filesystem::enter_seen(const InodeRef& parent, const std::string& name,
                                const sftp::Attrs& attrs, const AttrToken& token) {
  const std::uint32_t mode = attrs.has(sftp::kAttrPermissions) ? attrs.permissions : kModeUnknown;
  InodeRef inode = shared_.inodes.enter(parent, name, mode & S_IFMT);
  // Of what it was before, nothing is known any more.
  if (!inode->view(shared_.clock.now()).known && parent->child_left_since(token)) {
    shared_.inodes.forget(inode->id(), 1);
    return nullptr;
  }
  inode->adopt(attrs, token, shared_.lifetime(attrs));
  return inode;
}

InodeRef Filesystem::enter_new(const InodeRef& parent, const std::string& name,
                               const sftp::Attrs& attrs, const AttrToken& token) {
  const std::uint32_t mode = attrs.has(sftp::kAttrPermissions) ? attrs.permissions : kModeUnknown;
  shared_.inodes.remove(*parent, name);
  InodeRef inode = shared_.inodes.enter(parent, name, mode & S_IFMT);
  inode->adopt(attrs, token, shared_.lifetime(attrs));
  return inode;
}

void Filesystem::name_made(Inode& parent, const std::string& name) {
  parent.names_changed();
  shared_.listings.made(parent, name);
  shared_.listings.still_ours(parent, shared_.clock.now() + shared_.live().absent_lifetime);
  shared_.doubt_names(parent);  // its time of modification
}

void Filesystem::name_removed(Inode& parent, const std::string& name) {
  parent.names_changed();
  shared_.listings.removed(parent, name);
  shared_.listings.still_ours(parent, shared_.clock.now() + shared_.live().absent_lifetime);
  shared_.doubt_names(parent);
}

void Filesystem::forget(std::uint64_t inode, std::uint64_t lookups) {
  shared_.inodes.forget(inode, lookups);
}

Completion Filesystem::start(OperationContext& op) {
  SessionSlot& slot = shared_.pool.first_slot();
  co_return co_await runtime::run_on(slot.loop(), start_on(slot, op));
}

// The owner of the login directory, as sshfs takes it, is who we are there.
Completion Filesystem::learn_user(SessionSlot& slot, OperationContext& op) {
  auto look = [](sftp::Client& client) { return client.stat("."); };
  const Result<sftp::Attrs> home = co_await ask<sftp::Attrs>(slot, op.cancel.get(), look);
  if (!home) co_return fail(home.error());
  if (!home->has(sftp::kAttrUidGid)) {
    co_return fail(ErrorCode::kUnsupported,
                   "idmap=user: the server does not tell owners; use uid= and gid=");
  }
  shared_.ids.learn(home->uid, home->gid);
  co_return Status();
}

Completion Filesystem::start_on(SessionSlot& slot, OperationContext& op) {
  const std::string wanted =
      shared_.options.remote_directory.empty() ? "." : shared_.options.remote_directory;
  auto resolve = [wanted](sftp::Client& client) { return client.realpath(wanted); };
  const Result<std::string> root = co_await ask<std::string>(slot, op.cancel.get(), resolve);
  if (!root && !root.error().is(ErrorCode::kSftpStatus)) co_return fail(root.error());
  if (!root) {
    co_return fail(Error::system(to_errno(root.error(), Attempt::kLookup),
                                 "remote directory '" + wanted + "'"));
  }
  if (root->empty() || root->front() != '/') {
    co_return fail(ErrorCode::kProtocol, "the server's path of '" + wanted + "' is not absolute");
  }
  shared_.inodes.set_root_path(*root);
  if (shared_.ids.wants_user()) {
    const Status known = co_await learn_user(slot, op);
    if (!known) co_return known;
  }
  if (shared_.options.durability == Durability::kFsync) {
    auto home = [](sftp::Client& client) { return client.stat("."); };
    const Result<sftp::Attrs> login = co_await ask<sftp::Attrs>(slot, op.cancel.get(), home);
    if (login && login->has(sftp::kAttrUidGid)) creator_.learn_user(login->uid);
  }
  const AttrToken token = shared_.token(Ordering::kIndependent);
  const std::string path = *root;
  auto look = [path](sftp::Client& client) { return client.stat(path); };
  const Result<sftp::Attrs> attrs = co_await ask<sftp::Attrs>(slot, op.cancel.get(), look);
  if (!attrs) {
    co_return fail(Error::system(to_errno(attrs.error(), Attempt::kLookup),
                                 "remote directory '" + path + "'"));
  }
  if (attrs->has(sftp::kAttrPermissions) && !S_ISDIR(attrs->permissions)) {
    co_return fail(Error::system(ENOTDIR, "remote directory '" + path + "'"));
  }
  shared_.inodes.root()->adopt(*attrs, token, shared_.lifetime(*attrs));
  // So that it is known when the server is away.
  std::shared_ptr<runtime::Cancel> patience = runtime::Cancel::create();
  const Result<StatFsReply> space = co_await statfs_on(slot, std::move(patience));
  if (!space) log_debug("the server does not tell its space: {}", space.error().describe());
  co_return Status();
}

Completion Filesystem::drain(OperationContext& op) {
  prefetch_.clear();
  files_ahead_.clear();
  Status result;
  for (const OpenFileRef& file : shared_.files.all()) {
    if (!file->writable) continue;
    const Status flushed =
        co_await runtime::run_on(file->io->home(), file->io->flush(file, false, op.cancel.get()));
    // What was refused has been named when it was; what is still waiting is named when its session
    // is closed (FileIo).
    if (!flushed) result = flushed;
  }
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) result = settled;
  for (const std::unique_ptr<Worker>& worker : shared_.pool.workers()) {
    const Status closed =
        co_await runtime::run_on(worker->loop(), worker->closing().drained(op.cancel.get()));
    if (!closed) result = closed;
  }
  // Files whose close(2) was interrupted are no longer among the open ones, but their bytes count.
  for (const std::unique_ptr<Worker>& worker : shared_.pool.workers()) {
    const Status clean =
        co_await runtime::run_on(worker->loop(), wait_until_clean(*worker, op.cancel.get()));
    if (!clean) result = clean;
  }
  co_return result;
}

void Filesystem::discard_handles() {
  for (const OpenFileRef& file : shared_.files.take_all()) file->inode->release_io();
  shared_.directories.take_all();
  prefetch_.clear();
  files_ahead_.clear();
}

}  // namespace sftpfs::fs
