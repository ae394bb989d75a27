// FileIo, the reading half: hit | load | wait | busy, and what is done about each.
//
//   sequential demand   hit: use it   load: fill it   wait: wait   busy: read around the cache
//   readahead           hit: nothing  load: fill it   wait: nothing   busy: drop it
//   random demand       hit: use it   otherwise: read exactly the bytes, around the cache
#include <algorithm>

#include "base/log.h"
#include "fs/block_wait.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

constexpr std::size_t kWindowMinBytes = 2 << 20;
constexpr std::size_t kDirtyMinBytes = 4 << 20;

// Twice the bandwidth-delay product: the measured rate can only grow if more is under way than it
// needs. Four times while it does, so that a stream is soon as fast as the link.
constexpr double kGain = 2;
constexpr double kGrowingGain = 4;
std::size_t in_flight_bytes(Duration round_trip, std::uint64_t bytes_per_s, double gain = kGain) {
  const double round_trip_s = std::chrono::duration<double>(round_trip).count();
  return static_cast<std::size_t>(gain * round_trip_s * static_cast<double>(bytes_per_s));
}

// The part of a block's bytes that a read of [offset, offset + size) wants.
ByteSpan slice(ByteSpan block, std::uint64_t block_start, std::uint64_t offset,
               std::size_t size_bytes) {
  const std::size_t from = static_cast<std::size_t>(offset - block_start);
  if (from >= block.size()) return {};
  return block.subspan(from, std::min(size_bytes, block.size() - from));
}

}  // namespace

bool FileIo::try_cached(Shared& shared, const Inode& inode, std::uint64_t offset,
                        std::size_t size_bytes, ReadReply& reply) {
  const std::size_t block_size = shared.options.block_size_bytes;
  const std::uint64_t generation = inode.generation();
  const std::uint64_t end = offset + size_bytes;
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t index = at / block_size;
    cache::Pin pin = shared.cache.peek(cache::BlockKey{inode.id(), generation, index});
    if (!pin) {
      reply = ReadReply();
      return false;
    }
    const std::uint64_t block_start = index * block_size;
    const std::size_t wanted =
        static_cast<std::size_t>(std::min(end, block_start + block_size) - at);
    const ByteSpan part = slice(pin.bytes(), block_start, at, wanted);
    reply.add(part);
    reply.pins.push_back(std::move(pin));
    if (part.size() < wanted) break;  // the end of the file
    at += wanted;
  }
  return true;
}

std::uint64_t FileIo::known_size() const {
  const AttrView view = inode_->view(shared_.clock.now());
  return view.known ? view.attrs.size : UINT64_MAX;
}

void FileIo::follow_link(sftp::Client& client) {
  const sftp::LinkEstimate link = client.link();
  const LiveOptions& live = shared_.live();
  const std::size_t share_of_cache = shared_.options.cache_size_bytes / 2;
  // The home carries its share of a striped stream.
  const bool reading = !striping_.for_writing && !striping_.lanes.empty();
  const std::size_t read_ways = reading ? striping_.lanes.size() + 1 : 1;
  const double gain = link.receive_rate_grows ? kGrowingGain : kGain;
  const std::size_t wanted =
      read_ways * in_flight_bytes(link.round_trip, link.receive_bytes_per_s, gain);
  const std::size_t window =
      std::min({std::max(wanted, kWindowMinBytes), live.readahead_bytes_max, share_of_cache});
  readahead_window_max_.store(window, std::memory_order_relaxed);
  // The server may send what is asked for without waiting for us to make room.
  if (window > receive_window_bytes_) {
    receive_window_bytes_ = window;
    client.set_receive_window(2 * window);
    for (const LaneRef& lane : striping_.lanes) lane->client->set_receive_window(2 * window);
  }
  const std::size_t sent =
      (striping_.lanes_used + 1) * in_flight_bytes(link.round_trip, link.send_bytes_per_s);
  const std::size_t dirty_max = live.dirty_bytes_max / shared_.pool.workers().size();
  slot_.worker().dirty_bytes().set_capacity(std::min(std::max(sent, kDirtyMinBytes), dirty_max));
}

runtime::Task<Result<ReadReply>> FileIo::read(OpenFileRef file, std::uint64_t offset,
                                              std::size_t size_bytes, Readahead::Plan plan,
                                              runtime::Cancel* cancel) {
  if (is_live()) follow_link(*client_);
  ReadReply reply;
  if (!plan.sequential) {
    const Status status = co_await read_around(file, offset, size_bytes, reply, cancel);
    if (!status) co_return fail(status.error());
    co_return Result<ReadReply>(std::move(reply));
  }
  // The demanded blocks and the ones ahead are all on their way before the first is awaited.
  const std::size_t block_size = shared_.options.block_size_bytes;
  const std::uint64_t demanded_to =
      std::min(offset + size_bytes, std::max(known_size(), offset + 1));
  load_range(file, offset, demanded_to, cache::Access::kRead);
  fetch_ahead(file, plan);
  const std::uint64_t generation = inode_->generation();
  const std::uint64_t end = offset + size_bytes;
  for (std::uint64_t at = offset; at < end;) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min(end, (at / block_size + 1) * block_size) - at);
    const std::size_t before = reply.size_bytes;
    const Status status = co_await read_block_piece(file, at, wanted, generation, reply, cancel);
    if (!status) co_return fail(status.error());
    if (reply.size_bytes - before < wanted) break;  // the end of the file
    at += wanted;
  }
  co_return Result<ReadReply>(std::move(reply));
}

runtime::Task<Status> FileIo::read_block_piece(OpenFileRef file, std::uint64_t offset,
                                               std::size_t size_bytes, std::uint64_t generation,
                                               ReadReply& reply, runtime::Cancel* cancel) {
  const std::size_t block_size = shared_.options.block_size_bytes;
  const cache::BlockKey key{inode_->id(), generation, offset / block_size};
  Result<cache::Pin> pin = co_await block(file, key, cancel);
  if (!pin) {
    if (!pin.error().is(ErrorCode::kBusy)) co_return fail(pin.error());
    shared_.counters.reads_around_cache.fetch_add(1, std::memory_order_relaxed);
    co_return co_await read_around(file, offset, size_bytes, reply, cancel);
  }
  reply.add(slice(pin->bytes(), key.block * block_size, offset, size_bytes));
  reply.pins.push_back(std::move(*pin));
  co_return Status();
}

// kBusy: the block can only be read around the cache.
runtime::Task<Result<cache::Pin>> FileIo::block(OpenFileRef file, cache::BlockKey key,
                                                runtime::Cancel* cancel) {
  BlockWait wait(shared_.cache, key, cancel);
  cache::Lookup lookup = wait.get();
  if (auto* pin = std::get_if<cache::Pin>(&lookup)) {
    co_return Result<cache::Pin>(std::move(*pin));
  }
  if (std::holds_alternative<cache::Busy>(lookup)) co_return fail(ErrorCode::kBusy);
  if (auto* load = std::get_if<cache::Load>(&lookup)) {
    // Filled in the background, so that an interrupted reader does not spoil it for others.
    start_load(file, key, std::move(*load));
    lookup = wait.get();
    if (auto* pin = std::get_if<cache::Pin>(&lookup)) {
      co_return Result<cache::Pin>(std::move(*pin));
    }
    if (!std::holds_alternative<cache::Waiting>(lookup)) co_return fail(ErrorCode::kBusy);
  }
  co_return co_await wait;
}

void FileIo::start_load(const OpenFileRef& file, const cache::BlockKey& key, cache::Load load) {
  // What the READ brings is kept, so it must see all that has been accepted.
  send_gathered();
  runtime::spawn(fill(shared_from_this(), file, key, std::move(load)));
}

runtime::Task<void> FileIo::fill(std::shared_ptr<FileIo> self, OpenFileRef file,
                                 cache::BlockKey key, cache::Load load) {
  const std::uint64_t offset = key.block * self->shared_.options.block_size_bytes;
  const MutableByteSpan buffer = load.buffer();
  const Result<std::size_t> size = co_await self->read_range(file, offset, buffer, nullptr);
  // What the link has just shown is what the next reader may ask for.
  if (self->is_live()) self->follow_link(*self->client_);
  if (size) {
    load.commit(*size).release();
  } else {
    load.abandon(size.error());
  }
}

// With as many connections as it takes.
runtime::Task<Result<std::size_t>> FileIo::read_range(OpenFileRef file, std::uint64_t offset,
                                                      MutableByteSpan into,
                                                      runtime::Cancel* cancel) {
  std::uint64_t accepted = accepted_;
  std::uint64_t generation = inode_->generation();
  if (const LaneRef lane = read_lane(file, offset)) {
    const Lease lane_lease(lane->slot);
    sftp::Call<std::size_t> call =
        lane->client->read(lane->handle, offset, into, known_size(), sftp::Queue::kMetadata);
    const Result<std::size_t> read = co_await call.until(cancel);
    const bool undisturbed = accepted == accepted_ && generation == inode_->generation();
    if (read && undisturbed) co_return read;
    // Else once more, over the home.
  }
  const Lease lease(slot_);
  auto send = [this, offset, into, &accepted, &generation](
                  sftp::Client& client, const sftp::Handle& handle, sftp::Queue queue) {
    accepted = accepted_;
    generation = inode_->generation();
    return client.read(handle, offset, into, known_size(), queue);
  };
  const Result<std::size_t> size = co_await ask_file<std::size_t>(file, cancel, send);
  const bool current = accepted == accepted_ && generation == inode_->generation();
  if (size && current) remember(offset, into.first(*size));
  co_return size;
}

void FileIo::fetch_ahead(const OpenFileRef& file, Readahead::Plan plan) {
  if (plan.ahead_to <= plan.ahead_from || !is_live()) return;
  follow_link(*client_);
  if (clean()) stream_moves(file, static_cast<std::size_t>(plan.ahead_to - plan.ahead_from), false);
  load_range(file, plan.ahead_from, plan.ahead_to, cache::Access::kReadahead);
}

void FileIo::load_range(const OpenFileRef& file, std::uint64_t from, std::uint64_t to,
                        cache::Access access) {
  if (to <= from) return;
  const std::size_t block_size = shared_.options.block_size_bytes;
  const std::uint64_t generation = inode_->generation();
  const std::uint64_t last = (to - 1) / block_size;
  for (std::uint64_t index = from / block_size; index <= last; ++index) {
    const cache::BlockKey key{inode_->id(), generation, index};
    cache::Lookup lookup = shared_.cache.get(key, nullptr, access);
    if (auto* load = std::get_if<cache::Load>(&lookup)) {
      start_load(file, key, std::move(*load));
    } else if (std::holds_alternative<cache::Busy>(lookup)) {
      if (access == cache::Access::kReadahead) {
        shared_.counters.readahead_dropped.fetch_add(1, std::memory_order_relaxed);
      }
      return;
    }
  }
}

runtime::Task<Status> FileIo::read_around(OpenFileRef file, std::uint64_t offset,
                                          std::size_t size_bytes, ReadReply& reply,
                                          runtime::Cancel* cancel) {
  ReadReply cached;
  if (try_cached(shared_, *inode_, offset, size_bytes, cached)) {
    for (const iovec& piece : cached.pieces) {
      reply.add(ByteSpan(static_cast<const std::byte*>(piece.iov_base), piece.iov_len));
    }
    for (cache::Pin& pin : cached.pins) reply.pins.push_back(std::move(pin));
    co_return Status();
  }
  send_gathered();
  auto buffer = std::make_unique_for_overwrite<std::byte[]>(size_bytes);
  const MutableByteSpan into(buffer.get(), size_bytes);
  const Result<std::size_t> size = co_await read_range(file, offset, into, cancel);
  if (!size) co_return fail(size.error());
  reply.add(ByteSpan(buffer.get(), *size));
  reply.buffers.push_back(std::move(buffer));
  co_return Status();
}

}  // namespace sftpfs::fs
