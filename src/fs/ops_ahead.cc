// Filesystem: changes that are answered before the server has made them (durability=fsync).
//
// Only what is certain to succeed, as far as it can be known from here: the names are known from
// complete listings or from having been looked at just now, the rights from the modes that were
// seen, the attributes of what is made from what was made before. Whatever is not certain is waited
// for, behind all that is in the journal.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/open_flags.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kMayChangeNames = 0300;  // write and search
constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::uint32_t kSpecialBits = 07000;
constexpr std::size_t kNameMax = 255;
// Longer ones no system call takes; SFTP names files by whole paths.
constexpr std::size_t kPathMax = 4095;

using Kind = JournalEntry::Kind;

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

const char* what_was_to_be_done(Kind kind) {
  switch (kind) {
    case Kind::kMkdir:
    case Kind::kSymlink:
    case Kind::kCreate:
    case Kind::kLink: return "made";
    case Kind::kRemove:
    case Kind::kRmdir: return "removed";
    case Kind::kRename: return "renamed";
    default: return "changed";
  }
}

}  // namespace

bool Filesystem::may_run_ahead(const InodeRef& directory) const {
  if (!shared_.journal.accepting()) return false;
  const TimePoint now = shared_.clock.now();
  const AttrView view = directory->view(now);
  if (!view.known || !creator_.may(view.attrs, kMayChangeNames)) return false;
  // Its own changes of names take the attributes' freshness, but not what its mode is.
  return view.fresh || shared_.listings.knows(*directory, now);
}

bool Filesystem::certainly_absent(const Inode& directory, const std::string& name) const {
  if (name.size() > kNameMax) return false;
  return shared_.listings.find(directory, name, shared_.clock.now()).presence == Presence::kAbsent;
}

Result<std::string> Filesystem::path_ahead(const Inode& directory, const std::string& name) const {
  const Result<std::string> path = shared_.inodes.path(directory, name);
  if (path && path->size() > kPathMax) return fail(Error::system(ENAMETOOLONG));
  return path;
}

// Attributes as they will be seen; none where only the server can tell.
std::optional<sftp::Attrs> Filesystem::predict_new(const OperationContext& op,
                                                   const Inode& directory,
                                                   std::uint32_t mode) const {
  const AttrView view = directory.view(shared_.clock.now());
  const bool inherits = (view.attrs.permissions & kSpecialBits & ~S_ISVTX) != 0;
  std::optional<sftp::Attrs> attrs = creator_.predict(mode);
  const bool to_be_given = shared_.options.give_to_creator && (op.uid != 0 || op.gid != 0);
  if (!attrs || inherits || to_be_given) return std::nullopt;
  attrs->atime = attrs->mtime = static_cast<std::uint32_t>(shared_.clock.wall_now().seconds);
  return attrs;
}

// What everybody is told from now on.
void Filesystem::name_vouched(Inode& parent, const std::string& name, const sftp::Attrs& attrs) {
  names_changed_ahead(parent);
  shared_.listings.vouch(parent, name, attrs, shared_.token(Ordering::kBehindChanges));
}

void Filesystem::names_changed_ahead(Inode& directory) {
  const TimePoint now = shared_.clock.now();
  const auto now_s = static_cast<std::uint32_t>(shared_.clock.wall_now().seconds);
  directory.names_changed_ahead(now_s, now + shared_.live().attr_lifetime);
  shared_.listings.still_ours(directory, now + shared_.live().attr_lifetime);
  vouch_names(directory, directory.view(now).attrs);
}

void Filesystem::vouch_names(const Inode& inode, const sftp::Attrs& attrs) {
  for (const InodeTable::Place& place : shared_.inodes.places(inode)) {
    place.parent->listing_changed();
    shared_.listings.vouch(*place.parent, place.name, attrs,
                           shared_.token(Ordering::kBehindChanges));
  }
}

// How a change ends that was answered long ago.
void Filesystem::ahead_ended(Kind kind, const std::string& path, const Status& status,
                             const InodeRef& parent, const std::string& name,
                             const InodeRef& inode) {
  // Listings that were asked for before may be without it.
  parent->listing_changed_behind();
  // When it was made only the server can tell; of a file it is told when it is closed.
  if (status && kind == Kind::kSymlink) inode->expire();
  if (status) return;
  log_error("{} could not be {} although it was promised (durability=fsync): {}", path,
            what_was_to_be_done(kind), status.error().describe());
  parent->latch_ahead_error(status.error());
  if (inode) {
    inode->latch_ahead_error(status.error());
    inode->expire();
  }
  const bool was_to_appear = kind != Kind::kRemove && kind != Kind::kRmdir;
  if (kind != Kind::kSetattr && was_to_appear && inode &&
      shared_.inodes.find_child(*parent, name) == inode) {
    shared_.inodes.remove(*parent, name);
  }
  shared_.listings.drop(*parent);
}

std::function<void(const JournalAnswer&)> Filesystem::when_made(Kind kind, std::string path,
                                                                InodeRef parent, std::string name,
                                                                InodeRef inode) {
  auto scope = std::make_shared<ChangeScope>(inode, Change::kAhead);
  return [this, kind, path = std::move(path), parent = std::move(parent), name = std::move(name),
          inode = std::move(inode), scope](const JournalAnswer& answer) {
    ahead_ended(kind, path, answer.status, parent, name, inode);
    scope->end();
  };
}

std::optional<EntryReply> Filesystem::make_ahead(const OperationContext& op, const Making& making) {
  Inode& parent = *making.parent;
  if (!may_run_ahead(making.parent) || !certainly_absent(parent, making.name)) return std::nullopt;
  const std::uint32_t mode =
      making.mode ? S_IFDIR | (*making.mode & kPermissionBits) : S_IFLNK | 0777U;
  std::optional<sftp::Attrs> attrs = predict_new(op, parent, mode);
  const Result<std::string> path = path_ahead(parent, making.name);
  if (!attrs || !path || making.target.size() > kPathMax) return std::nullopt;
  if (!making.mode) attrs->size = making.target.size();
  const AttrToken token = shared_.token(Ordering::kBehindChanges);
  const InodeRef inode = enter_new(making.parent, making.name, *attrs, token);
  name_vouched(parent, making.name, *attrs);
  if (making.mode) {
    const std::vector<sftp::DirEntry> nothing;
    const Duration lifetime = shared_.live().attr_lifetime;
    shared_.listings.put(*inode, nothing, shared_.token(Ordering::kBehindChanges), lifetime,
                         lifetime, Origin::kMadeHere);
  }
  const Kind kind = making.mode ? Kind::kMkdir : Kind::kSymlink;
  JournalEntry entry(kind, *path);
  if (making.mode) entry.attrs = with_permissions(*making.mode);
  entry.other = making.target;
  entry.done = when_made(kind, *path, making.parent, making.name, inode);
  shared_.journal.add(std::move(entry));
  return entry_reply(inode);
}

std::optional<CreateReply> Filesystem::create_ahead(const OperationContext& op,
                                                    const InodeRef& parent, const std::string& name,
                                                    std::uint32_t mode, int flags) {
  // Only who writes closes it in a way that brings its times to the server.
  if ((flags & O_ACCMODE) == O_RDONLY) return std::nullopt;
  if (!may_run_ahead(parent) || !certainly_absent(*parent, name)) return std::nullopt;
  const std::optional<sftp::Attrs> attrs =
      predict_new(op, *parent, S_IFREG | (mode & kPermissionBits));
  const Result<std::string> path = path_ahead(*parent, name);
  if (!attrs || !path) return std::nullopt;
  SessionSlot& slot = shared_.journal.slot();
  const std::uint32_t wire_flags = access_flags(flags);
  auto file = std::make_shared<OpenFile>(slot, wire_flags);
  file->made_here = true;
  file->path = *path;
  describe_access(*file, flags);
  file->inode = enter_new(parent, name, *attrs, shared_.token(Ordering::kBehindChanges));
  file->io = acquire_io(file->inode, &slot);
  if (&file->io->slot() != &slot) {
    // A listing has shown it to somebody who was faster to open it.
    file->inode->release_io();
    shared_.inodes.forget(file->inode->id(), 1);
    return std::nullopt;
  }
  file->ours = std::make_unique<ChangeScope>(file->inode, Change::kAhead);
  file->io->attach_unborn(file);
  file->io->keep_content();
  name_vouched(*parent, name, *attrs);
  JournalEntry entry(Kind::kCreate, *path);
  entry.attrs = with_permissions(mode);
  entry.open_flags = wire_flags | sftp::kOpenCreate | sftp::kOpenExclusive;
  auto share = std::make_shared<IoShare>(file->io);
  auto ended = when_made(Kind::kCreate, *path, parent, name, file->inode);
  entry.done = [file, share, ended](const JournalAnswer& answer) {
    if (answer.status) {
      file->io->born(file, answer.client, answer.handle);
    } else {
      file->io->not_born(file, "it could not be made: " + answer.status.error().describe());
    }
    ended(answer);
  };
  shared_.journal.add(std::move(entry));
  CreateReply reply;
  reply.open = handle_reply(file);
  reply.entry = entry_reply(file->inode);
  return reply;
}

std::optional<EntryReply> Filesystem::link_ahead(const InodeRef& inode, const InodeRef& parent,
                                                 const std::string& name) {
  if (!may_run_ahead(parent) || !certainly_absent(*parent, name)) return std::nullopt;
  const AttrView view = inode->view(shared_.clock.now());
  const ClientRef client = shared_.journal.slot().session().current();
  const bool possible = view.fresh && S_ISREG(inode->type()) && creator_.owns(view.attrs) &&
                        client->extensions().hardlink;
  const Result<std::string> existing = shared_.inodes.path(*inode);
  const Result<std::string> path = path_ahead(*parent, name);
  if (!possible || !existing || !path) return std::nullopt;
  shared_.inodes.enter_link(inode, parent, name);
  name_vouched(*parent, name, view.attrs);
  JournalEntry entry(Kind::kLink, *path);
  entry.other = *existing;
  entry.done = when_made(Kind::kLink, *path, parent, name, inode);
  shared_.journal.add(std::move(entry));
  return entry_reply(inode);
}

// Whether the name is certainly that of this inode, and nobody needs it to reach an open file.
bool Filesystem::may_lose_name(const InodeRef& child) const {
  if (!child || !child->view(shared_.clock.now()).fresh) return false;
  // What an application has closed nobody will miss.
  const bool in_use = child->io() != nullptr && find_open(*child, false) != nullptr;
  return !in_use || shared_.inodes.places(*child).size() > 1;
}

bool Filesystem::remove_ahead(const InodeRef& parent, const std::string& name, bool directory) {
  const InodeRef child = shared_.inodes.find_child(*parent, name);
  if (!may_run_ahead(parent) || !may_lose_name(child)) return false;
  if (directory != S_ISDIR(child->type())) return false;
  if (directory) {
    const std::optional<WholeListing> content = shared_.listings.whole(*child, shared_.clock.now());
    const bool empty = content && content->entries.empty() && content->vouched.empty();
    if (!empty) return false;
  }
  const Result<std::string> path = path_ahead(*parent, name);
  if (!path) return false;
  const Kind kind = directory ? Kind::kRmdir : Kind::kRemove;
  JournalEntry entry(kind, *path);
  entry.done = when_made(kind, *path, parent, name, child);
  shared_.inodes.remove(*parent, name);
  shared_.listings.removed(*parent, name);
  names_changed_ahead(*parent);
  shared_.journal.add(std::move(entry));
  return true;
}

bool Filesystem::rename_ahead(const InodeRef& parent, const std::string& name,
                              const InodeRef& new_parent, const std::string& new_name,
                              bool replace) {
  if (!may_run_ahead(parent) || !may_run_ahead(new_parent)) return false;
  const InodeRef source = shared_.inodes.find_child(*parent, name);
  if (!source || !source->view(shared_.clock.now()).fresh) return false;
  const bool directory = S_ISDIR(source->type());
  if (directory && !creator_.may(source->view(shared_.clock.now()).attrs, kMayChangeNames)) {
    return false;
  }
  const InodeRef target = shared_.inodes.find_child(*new_parent, new_name);
  const bool absent = certainly_absent(*new_parent, new_name);
  if (!absent) {
    const bool replaceable = replace && !directory && may_lose_name(target) && target != source &&
                             !S_ISDIR(target->type());
    const ClientRef client = shared_.journal.slot().session().current();
    if (!replaceable || !client->extensions().posix_rename) return false;
  }
  const Result<std::string> from = path_ahead(*parent, name);
  const Result<std::string> to = path_ahead(*new_parent, new_name);
  if (!from || !to) return false;
  const sftp::Attrs attrs = source->view(shared_.clock.now()).attrs;
  JournalEntry entry(Kind::kRename, *from);
  entry.other = *to;
  entry.alone = directory;
  entry.replaces = !absent;
  if (!absent) entry.data_first = source->io();
  auto ended = when_made(Kind::kRename, *from, new_parent, new_name, source);
  auto replaced = std::make_shared<ChangeScope>(target, Change::kAhead);
  entry.done = [this, parent, ended, replaced](const JournalAnswer& answer) {
    parent->listing_changed_behind();
    if (!answer.status) shared_.listings.drop(*parent);
    ended(answer);
    replaced->end();
  };
  shared_.inodes.rename(*parent, name, new_parent, new_name);
  shared_.listings.removed(*parent, name);
  names_changed_ahead(*parent);
  name_vouched(*new_parent, new_name, attrs);
  shared_.journal.add(std::move(entry));
  return true;
}

// Of a file that nobody has open: else the change goes behind what is written to it (FileIo).
bool Filesystem::set_ahead(const InodeRef& inode, const sftp::Attrs& wire) {
  const AttrView view = inode->view(shared_.clock.now());
  const std::vector<InodeTable::Place> places = shared_.inodes.places(*inode);
  if (!shared_.journal.accepting() || inode->io() || S_ISLNK(inode->type())) return false;
  if (!creator_.owns(view.attrs) || places.empty()) return false;
  if (inode->id() == kRootInode) return false;
  const Result<std::string> path = shared_.inodes.path(*inode);
  if (!path) return false;
  JournalEntry entry(Kind::kSetattr, *path);
  entry.attrs = wire;
  const InodeTable::Place& place = places.front();
  entry.done = when_made(Kind::kSetattr, *path, place.parent, place.name, inode);
  inode->predict(wire);
  vouch_names(*inode, inode->view(shared_.clock.now()).attrs);
  shared_.journal.add(std::move(entry));
  return true;
}

}  // namespace sftpfs::fs
