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

// A file that is not larger is kept until it is closed (keep_content()).
constexpr std::size_t kKeptBytesMax = 64 * 1024;

// Until a read has measured the link.
constexpr std::size_t kWindowAtFirstBytes = 1 << 20;

}  // namespace

FileIo::FileIo(Shared& shared, SessionSlot& slot, InodeRef inode)
    : shared_(shared),
      slot_(slot),
      inode_(std::move(inode)),
      readahead_window_max_(std::min(kWindowAtFirstBytes, shared.options.cache_size_bytes / 2)) {}

std::size_t FileIo::gather_bytes_max(const OpenFile& file) const {
  constexpr std::size_t kUnknown = 32 * 1024;  // what every server takes
  if (!file.client) return kUnknown;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(file.client->limits().write_bytes_max, 1 << 20));
}

runtime::Task<Status> FileIo::write(OpenFileRef file, std::uint64_t offset, SharedBytes data,
                                    runtime::Cancel* cancel) {
  // A truncation whose caller was interrupted may be sent once more: not behind these bytes.
  while (resizing_ > 0) {
    const bool notified = co_await resized_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  // What changes attributes comes before these bytes.
  while (write_must_wait()) {
    const Status settled = co_await settle_attrs(cancel);
    if (!settled) co_return settled;
  }
  const Status before = usable_for_writing(*file);
  if (!before) co_return before;
  if (is_live()) follow_link(*client_);
  const Status room = co_await slot_.worker().dirty_bytes().acquire(data.size(), cancel);
  if (!room) co_return room;
  const Status after = usable_for_writing(*file);
  const bool overtaken = after && (resizing_ > 0 || write_must_wait());
  if (!after || overtaken) slot_.worker().dirty_bytes().release(data.size());
  if (!after) co_return after;
  if (overtaken) {
    co_return co_await write(std::move(file), offset, std::move(data), cancel);
  }
  accept(file, offset, std::move(data));
  if (shared_.live().sync_writes) {
    co_return co_await flush(file, false, cancel);
  }
  co_return Status();
}

Status FileIo::usable_for_writing(OpenFile& file) {
  if (file.write_error) return take_error(file);
  if (file.lost) return fail(*file.lost);
  if (ended_) return fail(*ended_);
  return {};
}

// What was accepted before the report may fail as well, mostly for the same reason; it is covered.
Status FileIo::take_error(OpenFile& file) {
  if (!file.write_error) return {};
  send_gathered();
  file.reported_up_to = unacknowledged_.last_number();
  const Error error = *std::exchange(file.write_error, std::nullopt);
  return fail(error);
}

void FileIo::latch(const Extent& extent, const Error& error) {
  OpenFile& file = *extent.file;
  if (file.write_error || extent.number <= file.reported_up_to) return;
  file.write_error = error;
}

bool FileIo::overlaps_unacknowledged(std::uint64_t from, std::uint64_t to) const {
  if (gathering_ && gathering_->offset < to && from < gathering_->offset + gathering_->size_bytes) {
    return true;
  }
  return unacknowledged_.overlaps(from, to);
}

FileIo::Resizing::Resizing(std::shared_ptr<FileIo> io) : io_(std::move(io)) {
  if (!io_) return;
  ++io_->resizing_;
  io_->sample_.reset();
  io_->kept_content_.reset();
}

FileIo::Resizing::~Resizing() {
  if (!io_) return;
  --io_->resizing_;
  io_->resized_.notify_all();
}

void FileIo::accept(const OpenFileRef& file, std::uint64_t offset, SharedBytes data) {
  shared_.counters.writes.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t end = offset + data.size();
  const AttrView view = inode_->view(shared_.clock.now());
  inode_->write_begins(end, shared_.clock.wall_now());
  doom_blocks(offset, end, view.attrs.size);
  ++accepted_;
  if (sample_ && sample_->offset < end && offset < sample_->offset + sample_->bytes.size()) {
    sample_.reset();
  }
  if (kept_content_) {
    if (offset == kept_content_->size() && end <= kKeptBytesMax) {
      const ByteSpan bytes = data.span();
      kept_content_->insert(kept_content_->end(), bytes.begin(), bytes.end());
    } else {
      kept_content_.reset();
    }
  }
  stream_moves(file, data.size(), true);
  if (gather(file, offset, data)) return;
  send_gathered();
  // With nothing in flight a write goes out at once; behind others small ones gather until the
  // next acknowledgement, so a stream of small writes costs one request each round trip.
  if (unacknowledged_.empty() || data.size() >= kGatherBelowBytes) {
    send(file, offset, std::move(data), 1);
    return;
  }
  Gathering gathering;
  gathering.file = file;
  gathering.offset = offset;
  gathering.capacity_bytes = std::max(gather_bytes_max(*file), data.size());
  gathering.buffer = std::make_shared_for_overwrite<std::byte[]>(gathering.capacity_bytes);
  std::memcpy(gathering.buffer.get(), data.data(), data.size());
  gathering.size_bytes = data.size();
  gathering.pieces = 1;
  gathering_.emplace(std::move(gathering));
}

bool FileIo::gather(const OpenFileRef& file, std::uint64_t offset, const SharedBytes& data) {
  if (!gathering_ || gathering_->file != file) return false;
  Gathering& gathering = *gathering_;
  if (gathering.offset + gathering.size_bytes != offset) return false;
  if (gathering.size_bytes + data.size() > gathering.capacity_bytes) return false;
  if (offset + data.size() > stripe_end(*file, gathering.offset)) return false;
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

std::uint64_t FileIo::stripe_end(const OpenFile& file, std::uint64_t offset) const {
  const std::uint64_t stripe = shared_.options.stripe_bytes;
  return file.append ? UINT64_MAX : (offset / stripe + 1) * stripe;
}

void FileIo::send(OpenFileRef file, std::uint64_t offset, SharedBytes data, std::size_t pieces) {
  const std::uint64_t bound = stripe_end(*file, offset);
  if (offset + data.size() > bound) {
    // Counted with its last part.
    const std::size_t head = static_cast<std::size_t>(bound - offset);
    send(file, offset, data.subspan(0, head), 0);
    send(std::move(file), bound, data.subspan(head, data.size() - head), pieces);
    return;
  }
  shared_.counters.writes_sent.fetch_add(1, std::memory_order_relaxed);
  // The lanes are another descriptor's.
  const bool foreign = striping_.routing == Routing::kStriped && striping_.file.lock() != file;
  Extent extent;
  extent.file = std::move(file);
  extent.offset = offset;
  extent.data = std::move(data);
  extent.pieces = pieces;
  const ExtentRef queued = unacknowledged_.push(std::move(extent));
  if (!is_live()) {
    start_recovery();
  } else if (foreign) {
    turn(false);
  } else if (striping_.routing != Routing::kTurning) {
    start_transmit(queued);
  }
}

void FileIo::start_transmit(const ExtentRef& extent) {
  extent->sent = true;
  ++striping_.in_flight;
  runtime::spawn(transmit(shared_from_this(), extent, write_lane(*extent->file, extent->offset)));
}

runtime::Task<void> FileIo::transmit(std::shared_ptr<FileIo> self, ExtentRef extent, LaneRef lane) {
  if (extent->file->lost) {
    const Error why = *extent->file->lost;
    self->write_answered();
    co_await self->refuse(extent, why);
    co_return;
  }
  const Lease lease(lane ? lane->slot : self->slot_);
  const ClientRef client = lane ? lane->client : self->client_;
  const sftp::Handle& handle = lane ? lane->handle : extent->file->handle;
  sftp::Call<void> call = client->write(handle, extent->offset, extent->data);
  const Status status = co_await call;
  if (!status && status.error().is(ErrorCode::kConnectionLost)) {
    if (lane) {
      self->lane_lost();
    } else {
      self->connection_lost();
    }
    self->write_answered();
    co_return;
  }
  self->write_answered();
  if (!status) {
    co_await self->refuse(extent, status.error());
    co_return;
  }
  self->settle(*extent);
  if (!self->overlaps_unacknowledged(extent->offset, extent->end())) {
    self->remember(extent->offset, extent->data.span());
  }
}

// Once for each extent, even if its connection is lost while the reason is being looked for.
runtime::Task<void> FileIo::refuse(ExtentRef extent, Error error) {
  if (extent->refused) co_return;
  extent->refused = true;
  if (is_abandoned(*extent->file)) {
    settle(*extent);
    co_return;
  }
  shared_.counters.write_errors.fetch_add(1, std::memory_order_relaxed);
  shared_.journal.mistrust();
  inode_->expire();
  const Result<std::string> path = shared_.inodes.path(*inode_);
  const Situation situation(Attempt::kWrite, path ? *path : shared_.inodes.root_path());
  if (error.is(ErrorCode::kSftpStatus)) {
    const Error why = co_await explain(slot_, error, situation, nullptr);
    error = why;
  }
  // Those behind it mostly fail for the same reason.
  if (!extent->file->write_error) {
    log_error("write of {} bytes at {} to {} failed: {}", extent->data.size(), extent->offset,
              path ? *path : extent->file->path, error.describe());
    latch(*extent, error);
  }
  settle(*extent);
}

void FileIo::settle(Extent& extent) {
  extent.settled = true;
  bool moved = false;
  for (ExtentRef gone = unacknowledged_.pop_settled(); gone; gone = unacknowledged_.pop_settled()) {
    for (std::size_t i = 0; i < gone->pieces; ++i) inode_->change_ends();
    slot_.worker().dirty_bytes().release(gone->accepted_bytes);
    moved = true;
  }
  if (!moved) return;
  if (unacknowledged_.empty()) send_gathered();
  progress_.notify_all();
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
  const std::uint64_t target = unacknowledged_.last_number();
  while (!unacknowledged_.settled_up_to(target)) {
    const bool notified = co_await progress_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  co_return Status();
}

// Of a file that is to be made its bytes wait; only a lost connection may take longer.
runtime::Task<void> FileIo::acknowledged_or_lost() {
  send_gathered();
  const std::uint64_t target = unacknowledged_.last_number();
  while (!unacknowledged_.settled_up_to(target) && (unborn_ || !recovering_) && !ended_) {
    co_await progress_.wait();
  }
}

runtime::Task<Status> FileIo::flush_ahead(OpenFileRef file) {
  send_gathered();
  cache_content();
  if (file->lost) co_return fail(*file->lost);
  co_return take_error(*file);
}

void FileIo::keep_content() { kept_content_.emplace(); }

void FileIo::cache_content() {
  if (!kept_content_) return;
  const std::vector<std::byte> content = std::move(*kept_content_);
  kept_content_.reset();
  const AttrView view = inode_->view(shared_.clock.now());
  if (content.empty() || view.attrs.size != content.size()) return;
  if (content.size() > shared_.options.block_size_bytes) return;
  const cache::BlockKey key{inode_->id(), view.generation, 0};
  cache::Lookup lookup = shared_.cache.get(key, nullptr, cache::Access::kRead);
  auto* load = std::get_if<cache::Load>(&lookup);
  if (load == nullptr) return;
  std::memcpy(load->buffer().data(), content.data(), content.size());
  load->commit(content.size()).release();
}

runtime::Task<Status> FileIo::flush(OpenFileRef file, bool sync_to_disk, runtime::Cancel* cancel) {
  if (setting_.inside() > 0) {
    const Status earlier = co_await settle_attrs(cancel);
    if (!earlier) co_return earlier;
  }
  send_deferred();
  bool done = !sync_to_disk && clean();
  const bool wrote = !clean();
  while (!done) {
    const Status usable = co_await live(file, cancel);
    if (!usable) {
      // The bytes of a lost file have failed, and that is what is reported; if there were none,
      // close(2) has nothing to say.
      const bool reported = file->write_error || (file->lost && !sync_to_disk);
      if (!reported) co_return usable;
      break;
    }
    const Result<bool> flushed = co_await flush_once(file, sync_to_disk, wrote, cancel);
    if (!flushed) co_return fail(flushed.error());
    done = *flushed;
  }
  const Status settled = co_await settle_attrs(cancel);
  if (!settled) co_return settled;
  co_return take_error(*file);
}

runtime::Task<Result<bool>> FileIo::flush_once(OpenFileRef file, bool sync_to_disk, bool wrote,
                                               runtime::Cancel* cancel) {
  const ClientRef client = client_;
  send_gathered();
  std::optional<sftp::Call<void>> sync;
  if (sync_to_disk && client->extensions().fsync) sync.emplace(client->fsync(file->handle));
  if (wrote) {
    // The attributes that the writes lead to, in the same round trip.
    const AttrToken token = shared_.token(Ordering::kBehindChanges);
    sftp::Call<sftp::Attrs> fstat = client->fstat(file->handle, sftp::Queue::kBulk);
    const Status drained = co_await drain(cancel);
    if (!drained) co_return fail(drained.error());
    const Result<sftp::Attrs> attrs = co_await fstat.until(cancel);
    if (attrs) inode_->adopt(*attrs, token, shared_.lifetime(*attrs));
  }
  if (!sync) co_return true;
  const Status synced = co_await sync->until(cancel);
  if (synced) co_return true;
  if (synced.error().is(ErrorCode::kConnectionLost)) {
    connection_lost();
    co_return false;
  }
  // That some bytes failed says more.
  if (file->write_error) co_return true;
  co_return fail(synced.error());
}

}  // namespace sftpfs::fs
