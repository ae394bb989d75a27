// See send_queue.h.
#include "sftp/send_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sftpfs::sftp {
namespace {

// Lists what is left of `packet` behind its first `skip` bytes; false when `into` is full.
bool list(const OutgoingPacket& packet, std::size_t skip, std::span<iovec> into,
          std::size_t& count) {
  for (const ByteSpan part : {ByteSpan(packet.head), packet.payload.span()}) {
    if (skip >= part.size()) {
      skip -= part.size();
      continue;
    }
    if (count == into.size()) return false;
    const ByteSpan rest = part.subspan(std::exchange(skip, 0));
    // iovec is not const-correct; the stream only reads.
    into[count++] = iovec{const_cast<std::byte*>(rest.data()), rest.size()};
  }
  return true;
}

}  // namespace

void SendQueue::push(Queue queue, OutgoingPacket packet) {
  bytes_ += packet.size();
  (queue == Queue::kMetadata ? metadata_ : bulk_).push_back(std::move(packet));
}

std::size_t SendQueue::gather(std::span<iovec> into) const {
  std::size_t count = 0;
  const bool bulk_begun = begun_bytes_ > 0 && begun_is_bulk_;
  if (bulk_begun && !list(bulk_.front(), begun_bytes_, into, count)) return count;
  std::size_t skip = begun_is_bulk_ ? 0 : begun_bytes_;
  for (const OutgoingPacket& packet : metadata_) {
    if (!list(packet, std::exchange(skip, 0), into, count)) return count;
  }
  std::size_t bulk_bytes = 0;
  for (std::size_t i = bulk_begun ? 1 : 0; i < bulk_.size(); ++i) {
    if (bulk_bytes >= kBulkBytesPerGather) return count;
    bulk_bytes += bulk_[i].size();
    if (!list(bulk_[i], 0, into, count)) return count;
  }
  return count;
}

std::deque<OutgoingPacket>* SendQueue::next() {
  if (begun_bytes_ > 0) return begun_is_bulk_ ? &bulk_ : &metadata_;
  if (!metadata_.empty()) return &metadata_;
  return bulk_.empty() ? nullptr : &bulk_;
}

void SendQueue::taken(std::size_t bytes, const std::function<void(std::uint32_t)>& sent) {
  SFTPFS_CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    std::deque<OutgoingPacket>* queue = next();
    SFTPFS_CHECK(queue != nullptr);
    const std::size_t rest = queue->front().size() - begun_bytes_;
    if (bytes < rest) {
      begun_bytes_ += bytes;
      begun_is_bulk_ = queue == &bulk_;
      return;
    }
    bytes -= rest;
    begun_bytes_ = 0;
    const std::uint32_t id = queue->front().id;
    queue->pop_front();
    sent(id);
  }
}

void SendQueue::clear() {
  metadata_.clear();
  bulk_.clear();
  bytes_ = begun_bytes_ = 0;
}

}  // namespace sftpfs::sftp
