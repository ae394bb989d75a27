// FileIo, the writing half: write-behind with bounded bytes and latched errors.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

// From this size on a write is an extent of its own: copying it again would cost more than the
// request header it saves.
constexpr std::size_t kGatherBelowBytes = 64 * 1024;

// Until a read has measured the link.
constexpr std::size_t kWindowAtFirstBytes = 1 << 20;

}  // namespace

FileIo::FileIo(Shared& shared, SessionSlot& slot, InodeRef inode)
    : shared_(shared),
      slot_(slot),
      inode_(std::move(inode)),
      readahead_window_max_(std::min(kWindowAtFirstBytes, shared.options.cache_size_bytes / 2)) {}

std::size_t FileIo::gather_bytes_max(const OpenFile& file) const {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(file.client->limits().write_bytes_max, 1 << 20));
}

runtime::Task<Status> FileIo::write(OpenFileRef file, std::uint64_t offset, SharedBytes data,
                                    runtime::Cancel* cancel) {
  if (file->write_error) {
    const Error error = *std::exchange(file->write_error, std::nullopt);
    co_return fail(error);
  }
  follow_link(*file->client);
  const Status room = co_await slot_.worker().dirty_bytes().acquire(data.size(), cancel);
  if (!room) co_return room;
  accept(file, offset, std::move(data));
  if (shared_.options.sync_writes) {
    co_return co_await flush(file, false, cancel);
  }
  co_return Status();
}

void FileIo::accept(const OpenFileRef& file, std::uint64_t offset, SharedBytes data) {
  shared_.counters.writes.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t end = offset + data.size();
  const AttrView view = inode_->view(shared_.clock.now());
  inode_->write_begins(end, shared_.clock.wall_now());
  doom_blocks(offset, end, view.attrs.size);
  if (gather(file, offset, data)) return;
  send_gathered();
  // With nothing in flight a write goes out at once; behind others small ones gather until the
  // next acknowledgement, so a stream of small writes costs one request each round trip.
  if (in_flight_.empty() || data.size() >= kGatherBelowBytes) {
    send(file, offset, std::move(data), 1);
    return;
  }
  Gathering gathering;
  gathering.file = file;
  gathering.offset = offset;
  gathering.buffer =
      std::make_shared_for_overwrite<std::byte[]>(std::max(gather_bytes_max(*file), data.size()));
  std::memcpy(gathering.buffer.get(), data.data(), data.size());
  gathering.size_bytes = data.size();
  gathering.pieces = 1;
  gathering_.emplace(std::move(gathering));
}

bool FileIo::gather(const OpenFileRef& file, std::uint64_t offset, const SharedBytes& data) {
  if (!gathering_ || gathering_->file != file) return false;
  Gathering& gathering = *gathering_;
  if (gathering.offset + gathering.size_bytes != offset) return false;
  if (gathering.size_bytes + data.size() > gather_bytes_max(*file)) return false;
  std::memcpy(gathering.buffer.get() + gathering.size_bytes, data.data(), data.size());
  gathering.size_bytes += data.size();
  ++gathering.pieces;
  return true;
}

void FileIo::send_gathered() {
  if (!gathering_) return;
  const Gathering gathering = std::move(*gathering_);
  gathering_.reset();
  const ByteSpan view(gathering.buffer.get(), gathering.size_bytes);
  send(gathering.file, gathering.offset, SharedBytes(gathering.buffer, view), gathering.pieces);
}

void FileIo::send(OpenFileRef file, std::uint64_t offset, SharedBytes data, std::size_t pieces) {
  in_flight_.insert(++sent_);
  shared_.counters.writes_sent.fetch_add(1, std::memory_order_relaxed);
  runtime::spawn(
      write_out(shared_from_this(), std::move(file), offset, std::move(data), pieces, sent_));
}

runtime::Task<void> FileIo::write_out(std::shared_ptr<FileIo> self, OpenFileRef file,
                                      std::uint64_t offset, SharedBytes data, std::size_t pieces,
                                      std::uint64_t number) {
  const std::size_t size_bytes = data.size();
  sftp::Call<void> call = file->client->write(file->handle, offset, std::move(data));
  const Status status = co_await call;
  if (!status) {
    const Error why = co_await self->failed(status.error(), offset, size_bytes);
    if (!file->write_error) file->write_error = why;
  }
  for (std::size_t i = 0; i < pieces; ++i) self->inode_->change_ends();
  self->slot_.worker().dirty_bytes().release(size_bytes);
  self->in_flight_.erase(number);
  if (self->in_flight_.empty()) self->send_gathered();
  self->progress_.notify_all();
}

// Logs it where it is known and finds out whether the disk is full.
runtime::Task<Error> FileIo::failed(Error error, std::uint64_t offset, std::size_t size_bytes) {
  shared_.counters.write_errors.fetch_add(1, std::memory_order_relaxed);
  inode_->expire();
  const Result<std::string> path = shared_.inodes.path(*inode_);
  const Situation situation(Attempt::kWrite, path ? *path : shared_.inodes.root_path());
  if (error.is(ErrorCode::kSftpStatus)) {
    const Error why = co_await explain(slot_, error, situation, nullptr);
    error = why;
  }
  log_error("write of {} bytes at {} to {} failed: {}", size_bytes, offset,
            path ? *path : "a removed file", error.describe());
  co_return error;
}

void FileIo::doom_blocks(std::uint64_t from, std::uint64_t to, std::uint64_t old_size) {
  if (to <= from) return;
  const std::size_t block_size = shared_.options.block_size_bytes;
  // A write behind the end also changes the block that held the end: it gains zeros.
  const std::uint64_t first = std::min(from, old_size) / block_size;
  const std::uint64_t last = (to - 1) / block_size;
  shared_.cache.doom_range(inode_->id(), inode_->generation(), first, last);
}

// Only for what was accepted before: others may go on writing all the time.
runtime::Task<Status> FileIo::drain(runtime::Cancel* cancel) {
  send_gathered();
  const std::uint64_t target = sent_;
  while (!in_flight_.empty() && *in_flight_.begin() <= target) {
    const bool notified = co_await progress_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  co_return Status();
}

runtime::Task<Status> FileIo::flush(OpenFileRef file, bool sync_to_disk, runtime::Cancel* cancel) {
  send_gathered();
  std::optional<sftp::Call<void>> sync;
  if (sync_to_disk && file->client->extensions().fsync) {
    sync.emplace(file->client->fsync(file->handle));
  }
  if (!clean()) {
    // The attributes that the writes lead to, in the same round trip.
    const AttrToken token = shared_.token(Ordering::kBehindChanges);
    sftp::Call<sftp::Attrs> fstat = file->client->fstat(file->handle, sftp::Queue::kBulk);
    const Status drained = co_await drain(cancel);
    if (!drained) co_return drained;
    const Result<sftp::Attrs> attrs = co_await fstat.until(cancel);
    if (attrs) {
      inode_->adopt(*attrs, token, shared_.options.attr_lifetime);
    }
  }
  Status synced;
  if (sync) {
    Status answer = co_await sync->until(cancel);
    synced = std::move(answer);
  }
  if (file->write_error) {
    const Error error = *std::exchange(file->write_error, std::nullopt);
    co_return fail(error);
  }
  co_return synced;
}

}  // namespace sftpfs::fs
