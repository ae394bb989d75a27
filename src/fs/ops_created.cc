// Filesystem: what a fresh object is still owed when the server has made it.
//
// The server's umask may have taken bits that the caller's had left, and everything belongs to the
// session's user at first. What is owed is set at once, and only where it is seen to be missing.
#include <sys/stat.h>

#include <array>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
// What a umask on the server can take away.
constexpr std::uint32_t kMaskableBits = 0777;
// What a change of the owner takes away.
constexpr std::uint32_t kSetIdBits = S_ISUID | S_ISGID;

sftp::Attrs with(sftp::Attrs attrs, const sftp::Attrs& owed) {
  if (owed.has(sftp::kAttrPermissions)) {
    attrs.permissions =
        (attrs.permissions & ~kPermissionBits) | (owed.permissions & kPermissionBits);
  }
  if (owed.has(sftp::kAttrUidGid)) {
    attrs.uid = owed.uid;
    attrs.gid = owed.gid;
  }
  return attrs;
}

}  // namespace

sftp::Attrs Filesystem::owed_mode(const sftp::Attrs& made, std::uint32_t mode) const {
  sftp::Attrs owed;
  if (!made.has(sftp::kAttrPermissions)) return owed;
  if ((made.permissions & kMaskableBits) == (mode & kMaskableBits)) return owed;
  owed.flags = sftp::kAttrPermissions;
  owed.permissions = (made.permissions & kPermissionBits & ~kMaskableBits) | (mode & kMaskableBits);
  return owed;
}

// Only root can give something away, and only what root has made shows that the session is root's.
sftp::Attrs Filesystem::owed_owner(const sftp::Attrs& made, const Inode& parent, std::uint32_t uid,
                                   std::uint32_t gid) const {
  sftp::Attrs owed;
  if (!shared_.options.give_to_creator || !made.has(sftp::kAttrUidGid) || made.uid != 0) {
    return owed;
  }
  const AttrView directory = parent.view(shared_.clock.now());
  const bool inherited = directory.known && (directory.attrs.permissions & S_ISGID) != 0;
  // As the server numbers them; who is nobody there owns nothing there.
  const Result<std::uint32_t> user = shared_.ids.sent_user(uid);
  const Result<std::uint32_t> own_group = shared_.ids.sent_group(gid);
  if (!user || !own_group) return owed;
  const std::uint32_t group = inherited ? made.gid : *own_group;
  if (made.uid == *user && made.gid == group) return owed;
  owed.flags = sftp::kAttrUidGid;
  owed.uid = *user;
  owed.gid = group;
  return owed;
}

// By name, and never through a link that somebody may have put in its place: an owner is set with
// lsetstat@openssh.com or not at all. Whether it was set.
Outcome<bool> Filesystem::pay(SessionSlot& slot, std::string path, sftp::Attrs owed) {
  const bool owner = owed.has(sftp::kAttrUidGid);
  auto send = [path, owed, owner](sftp::Client& client) {
    return owner ? client.lsetstat(path, owed) : client.setstat(path, owed);
  };
  const Status paid = co_await ask<void>(slot, nullptr, send);
  if (paid) co_return true;
  const bool told = was_refused(paid) || paid.error().is(ErrorCode::kUnsupported);
  if (!told) co_return fail(paid.error());
  log_debug("mode or owner of the new {} could not be set: {}", path, paid.error().describe());
  co_return false;
}

// The reply for a fresh object whose LSTAT was queued behind its creation.
Outcome<EntryReply> Filesystem::created(SessionSlot& slot, Made made) {
  if (!made.attrs) {
    co_return fail(Error::system(to_errno(made.attrs.error(), Attempt::kLookup)));
  }
  sftp::Attrs attrs = *made.attrs;
  bool certain = true;
  sftp::Attrs mode;
  if (made.mode) mode = owed_mode(attrs, *made.mode);
  if (made.mode) creator_.learn(*made.mode, attrs, made.parent->view(shared_.clock.now()));
  const sftp::Attrs owner = owed_owner(attrs, *made.parent, made.uid, made.gid);
  const std::array<sftp::Attrs, 2> all = {mode, owner};
  for (const sftp::Attrs& owed : all) {
    if (owed.flags == 0) continue;
    const Result<bool> paid = co_await pay(slot, made.path, owed);
    name_made(*made.parent, made.name);
    if (paid && *paid) attrs = with(attrs, owed);
    certain = certain && paid;
  }
  const InodeRef inode = enter_new(made.parent, made.name, attrs, made.token);
  if (!certain) inode->expire();
  if (made.empty_directory) {
    const std::vector<sftp::DirEntry> nothing;
    const Duration lifetime = shared_.live().absent_lifetime;
    shared_.listings.put(*inode, nothing, made.token, lifetime, lifetime, Origin::kMadeHere);
  }
  co_return entry_reply(inode);
}

// Shows the file with what it is owed at once, and has it set on the server, by its handle.
runtime::Task<void> Filesystem::settle(OpenFileRef file, sftp::Attrs attrs, sftp::Attrs owed) {
  const sftp::Attrs wanted = with(attrs, owed);
  const AttrToken token = shared_.token(Ordering::kBehindChanges);
  file->inode->adopt(wanted, token, shared_.lifetime(wanted));
  const std::shared_ptr<FileIo> io = file->io;
  const IoShare share(io);
  const ChangeScope change(file->inode, Change::kOther);
  // The server changes the mode first, and then the owner, which clears these bits again.
  const bool again = owed.has(sftp::kAttrUidGid) && (wanted.permissions & kSetIdBits) != 0;
  sftp::Attrs bits;
  bits.flags = sftp::kAttrPermissions;
  bits.permissions = wanted.permissions & kPermissionBits;
  while (true) {
    const Status usable = co_await io->live(file, nullptr);
    if (!usable) break;
    sftp::Call<void> last = io->client()->fsetstat(file->handle, owed, io->queue());
    if (again) {
      last.forget();
      last = io->client()->fsetstat(file->handle, bits, io->queue());
    }
    const Status set = co_await last;
    if (set) co_return;
    if (!was_lost(set)) break;
    io->connection_lost();
  }
  file->inode->forget_attrs();
}

}  // namespace sftpfs::fs
