// Filesystem: reading, writing and what belongs to an open file's content.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fs/ask.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

// Copied on the server in one request: it works on nothing else of the session meanwhile.
constexpr std::size_t kCopyBytesMax = 64 << 20;
// What is sent ahead without waiting costs less time than asking the server to copy it.
constexpr std::uint64_t kSentRatherThanCopiedBytes = 64 << 10;

Error mapped(const Error& error, Attempt attempt) {
  return Error::system(to_errno(error, attempt), error.message());
}

}  // namespace

Outcome<ReadReply> Filesystem::read(OperationContext& op, std::uint64_t handle,
                                    std::uint64_t offset, std::size_t size_bytes) {
  const Result<OpenFileRef> found = find_file(handle);
  if (!found) co_return fail(found.error());
  const OpenFileRef& file = *found;
  shared_.counters.reads.fetch_add(1, std::memory_order_relaxed);
  const AttrView view = file->inode->view(shared_.clock.now());
  const std::uint64_t file_size = view.known ? view.attrs.size : UINT64_MAX;
  const Readahead::Plan plan =
      file->readahead.on_read(offset, size_bytes, file_size, shared_.options.block_size_bytes,
                              file->io->readahead_window_max());
  const std::size_t wanted =
      view.fresh && offset < file_size
          ? static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes, file_size - offset))
          : size_bytes;
  ReadReply reply;
  if (FileIo::try_cached(shared_, *file->inode, offset, wanted, reply)) {
    shared_.counters.reads_from_cache.fetch_add(1, std::memory_order_relaxed);
    if (plan.ahead_to > plan.ahead_from) {
      file->io->home().post([io = file->io, file, plan] { io->fetch_ahead(file, plan); });
    }
    co_return Result<ReadReply>(std::move(reply));
  }
  Result<ReadReply> read = co_await runtime::run_on(
      file->io->home(), file->io->read(file, offset, wanted, plan, op.cancel.get()));
  if (!read) co_return fail(mapped(read.error(), Attempt::kRead));
  co_return read;
}

Outcome<std::size_t> Filesystem::write(OperationContext& op, std::uint64_t handle,
                                       std::uint64_t offset, SharedBytes data) {
  const Result<OpenFileRef> found = find_file(handle);
  if (!found) co_return fail(found.error());
  const std::size_t size_bytes = data.size();
  const OpenFileRef& file = *found;
  const Status accepted = co_await runtime::run_on(
      file->io->home(), file->io->write(file, offset, std::move(data), op.cancel.get()));
  if (!accepted) co_return fail(mapped(accepted.error(), Attempt::kWrite));
  co_return size_bytes;
}

Completion Filesystem::flush(OperationContext& op, std::uint64_t handle) {
  const Result<OpenFileRef> found = find_file(handle);
  if (!found) co_return fail(found.error());
  const OpenFileRef& file = *found;
  if (!file->writable) co_return Status();
  // After a refusal the next ones are waited for, so that who closes is told.
  const bool ahead = shared_.options.durability == Durability::kFsync;
  if (ahead && shared_.journal.is_trusting()) {
    const Status noted = co_await runtime::run_on(file->io->home(), file->io->flush_ahead(file));
    if (!noted) co_return fail(mapped(noted.error(), Attempt::kWrite));
    co_return Status();
  }
  // Who has closed it once is done with making it.
  file->made_here = false;
  const Status flushed =
      co_await runtime::run_on(file->io->home(), file->io->flush(file, false, op.cancel.get()));
  if (!flushed) co_return fail(mapped(flushed.error(), Attempt::kWrite));
  co_return Status();
}

Completion Filesystem::fsync(OperationContext& op, std::uint64_t handle) {
  const Result<OpenFileRef> found = find_file(handle);
  if (!found) co_return fail(found.error());
  const OpenFileRef& file = *found;
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return settled;
  const Status flushed =
      co_await runtime::run_on(file->io->home(), file->io->flush(file, true, op.cancel.get()));
  if (!flushed) co_return fail(mapped(flushed.error(), Attempt::kWrite));
  co_return told_late(*file->inode);
}

Completion Filesystem::fsyncdir(OperationContext& op, std::uint64_t inode) {
  const Result<InodeRef> found = find(inode);
  if (!found) co_return fail(found.error());
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return settled;
  co_return told_late(**found);
}

// What was promised and could not be kept.
Status Filesystem::told_late(Inode& inode) {
  const std::optional<Error> error = inode.take_ahead_error();
  if (!error) return {};
  return fail(mapped(*error, Attempt::kWrite));
}

// SFTP does not show holes, so a file is all data up to its end, as lseek(2) allows.
Outcome<std::uint64_t> Filesystem::lseek(OperationContext& op, std::uint64_t inode,
                                         std::uint64_t offset, int whence) {
  const Result<AttrReply> attr = co_await getattr(op, inode);
  if (!attr) co_return fail(attr.error());
  if (whence != SEEK_DATA && whence != SEEK_HOLE) co_return fail(Error::system(EINVAL));
  if (offset >= attr->attr.size) co_return fail(Error::system(ENXIO));
  co_return whence == SEEK_DATA ? offset : attr->attr.size;
}

Outcome<std::size_t> Filesystem::copy_file_range(OperationContext& op, std::uint64_t from,
                                                 std::uint64_t from_offset, std::uint64_t to,
                                                 std::uint64_t to_offset, std::size_t size_bytes) {
  const Result<OpenFileRef> source = find_file(from);
  if (!source) co_return fail(source.error());
  const Result<OpenFileRef> target = find_file(to);
  if (!target) co_return fail(target.error());
  const AttrView known = (*source)->inode->view(shared_.clock.now());
  const bool small = known.fresh && known.attrs.size <= kSentRatherThanCopiedBytes;
  const bool ahead = shared_.options.durability == Durability::kFsync;
  if (ahead && small) co_return fail(Error::system(EOPNOTSUPP));
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return fail(settled.error());
  // What the source's writers have accepted must be on the server before it copies.
  const Status ready =
      co_await runtime::run_on((*source)->io->home(), (*source)->io->drain(op.cancel.get()));
  if (!ready) co_return fail(mapped(ready.error(), Attempt::kWrite));
  co_return co_await runtime::run_on(
      (*target)->io->home(), copy_on(*source, from_offset, *target, to_offset, size_bytes, op));
}

Outcome<std::size_t> Filesystem::copy_on(OpenFileRef from, std::uint64_t from_offset,
                                         OpenFileRef to, std::uint64_t to_offset,
                                         std::size_t size_bytes, OperationContext& op) {
  const Status usable = co_await to->io->live(to, op.cancel.get());
  if (!usable) co_return fail(mapped(usable.error(), Attempt::kCopy));
  const FileIo::Resizing resizing(to->io);
  const ClientRef client = to->io->client();
  // EOPNOTSUPP makes the kernel copy through reads and writes.
  // OpenSSH refuses to copy within one file.
  const bool possible = client->extensions().copy_data && !to->append && from->inode != to->inode;
  if (!possible) co_return fail(Error::system(EOPNOTSUPP));
  const AttrView source = from->inode->view(shared_.clock.now());
  if (!source.known) co_return fail(Error::system(EOPNOTSUPP));
  if (from_offset >= source.attrs.size) co_return std::size_t{0};
  const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(
      std::min(size_bytes, kCopyBytesMax), source.attrs.size - from_offset));

  const Status drained = co_await to->io->drain(op.cancel.get());
  if (!drained) co_return fail(mapped(drained.error(), Attempt::kWrite));
  const Status settled = co_await to->io->settle_attrs(op.cancel.get());
  if (!settled) co_return fail(mapped(settled.error(), Attempt::kWrite));
  // A handle of its own: that of `from` may belong to another session.
  const Result<std::string> path = shared_.inodes.path(*from->inode);
  if (!path) co_return fail(Error::system(EOPNOTSUPP));
  const sftp::Attrs unset;
  const Result<sftp::Handle> opened =
      co_await client->open(*path, sftp::kOpenRead, unset).until(op.cancel.get());
  if (!opened) co_return fail(Error::system(EOPNOTSUPP));
  to->io->send_gathered();
  to->inode->write_begins(to_offset + length, shared_.clock.wall_now());
  const Status copied =
      co_await client->copy_data(*opened, from_offset, length, to->handle, to_offset)
          .until(op.cancel.get());
  to->inode->change_ends();
  to->inode->new_generation();
  to->inode->expire();
  client->close(*opened, sftp::Queue::kBulk).forget();
  // OpenSSH refuses to copy between handles of one name, even if they are of different files. A
  // real failure, or a lost connection, is met again when the kernel copies.
  if (was_refused(copied) || was_lost(copied)) co_return fail(Error::system(EOPNOTSUPP));
  if (!copied) co_return fail(mapped(copied.error(), Attempt::kCopy));
  co_return length;
}

}  // namespace sftpfs::fs
