// Filesystem: listing directories.
//
// Positions: 0 is ".", 1 is "..", n the (n-2)th name of the stream. An entry's next_offset is the
// position behind it, so a listing goes on exactly where the kernel's buffer ended.
#include <sys/stat.h>

#include <cerrno>

#include "fs/directory_stream.h"
#include "fs/filesystem.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint64_t kFirstName = 2;

}  // namespace

Outcome<OpenReply> Filesystem::opendir(OperationContext& op, std::uint64_t inode) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  std::shared_ptr<DirectoryStream> stream = open_known(*found);
  if (!stream) {
    const Status settled = co_await shared_.journal.settled(op.cancel.get());
    if (!settled) co_return fail(settled.error());
  }
  if (!stream) stream = prefetch_.opening(*found);
  if (!stream) stream = std::make_shared<DirectoryStream>(shared_, shared_.pool.pick(), *found);
  const Status opened = co_await runtime::run_on(stream->home(), stream->open(op.cancel.get()));
  if (!opened) co_return fail(Error::system(to_errno(opened.error(), Attempt::kOpen)));
  OpenReply reply;
  reply.handle = shared_.directories.add(std::move(stream));
  co_return reply;
}

// Null if the server is to be asked.
std::shared_ptr<DirectoryStream> Filesystem::open_known(const InodeRef& directory) {
  if (!shared_.live().listings_serve_opendir) return nullptr;
  std::optional<WholeListing> known = shared_.listings.whole(*directory, shared_.clock.now());
  if (!known) return nullptr;
  for (const std::string& name : known->vouched) {
    const InodeRef inode = shared_.inodes.find_child(*directory, name);
    if (!inode) return nullptr;
    sftp::DirEntry& entry = known->entries.emplace_back();
    entry.name = name;
    entry.attrs = inode->view(shared_.clock.now()).attrs;
  }
  auto stream = std::make_shared<DirectoryStream>(shared_, shared_.pool.pick(), directory);
  stream->show(std::move(*known));
  return stream;
}

Completion Filesystem::readdir(OperationContext& op, std::uint64_t handle, std::uint64_t offset,
                               bool with_attributes, DirectorySink& sink) {
  const std::shared_ptr<DirectoryStream> stream = shared_.directories.find(handle);
  if (!stream) co_return fail(Error::system(EBADF));
  const bool rewind = offset == 0;
  for (; offset < kFirstName; ++offset) {
    DirectoryItem dots;
    dots.name = offset == 0 ? "." : "..";
    dots.next_offset = offset + 1;
    dots.type = S_IFDIR;
    dots.ino = offset == 0 ? stream->inode()->id() : 0;
    if (!sink.add(dots, nullptr)) co_return Status();
  }
  bool again = rewind;
  while (true) {
    const std::size_t first = static_cast<std::size_t>(offset - kFirstName);
    const Result<DirectoryBatch> batch =
        co_await runtime::run_on(stream->home(), stream->batch(first, again, op.cancel.get()));
    if (!batch) co_return fail(Error::system(to_errno(batch.error(), Attempt::kRead)));
    again = false;
    for (const sftp::DirEntry& entry : batch->entries) {
      if (!add_entry(*stream->inode(), entry, batch->token, offset + 1, with_attributes, sink)) {
        co_return Status();
      }
      ++offset;
    }
    if (batch->end) co_return Status();
  }
}

bool Filesystem::add_entry(const Inode& parent, const sftp::DirEntry& entry, const AttrToken& token,
                           std::uint64_t next_offset, bool with_attributes, DirectorySink& sink) {
  DirectoryItem item;
  item.name = entry.name;
  item.next_offset = next_offset;
  if (entry.attrs.has(sftp::kAttrPermissions)) item.type = entry.attrs.permissions & S_IFMT;
  const InodeRef known = shared_.inodes.find_child(parent, entry.name);
  if (known) item.ino = known->id();
  const InodeRef directory = shared_.inodes.find(parent.id());
  const bool complete = (entry.attrs.flags & kWholeAttributes) == kWholeAttributes;
  // A name that we have removed or made since is not what the server has shown: the kernel must
  // not take it for one that exists.
  const bool current =
      directory && !directory->names_changed_since(token) && shared_.journal.pending() == 0;
  if (!with_attributes || !complete || !current) return sink.add(item, nullptr);
  const InodeRef inode = enter_seen(directory, entry.name, entry.attrs, token);
  if (!inode) return sink.add(item, nullptr);
  item.ino = inode->id();
  const EntryReply reply = entry_reply(inode);
  if (sink.add(item, &reply)) return true;
  shared_.inodes.forget(inode->id(), 1);
  return false;
}

Completion Filesystem::releasedir(OperationContext& op, std::uint64_t handle) {
  static_cast<void>(op);
  std::shared_ptr<DirectoryStream> stream = shared_.directories.remove(handle);
  if (!stream) co_return fail(Error::system(EBADF));
  runtime::Loop& home = stream->home();
  co_return co_await runtime::run_on(home, close_directory(std::move(stream)));
}

// The last who holds it closes the handle: it may still be read ahead.
Completion Filesystem::close_directory(std::shared_ptr<DirectoryStream> stream) {
  stream.reset();
  co_return Status();
}

}  // namespace sftpfs::fs
