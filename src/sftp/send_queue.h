// SendQueue: encoded requests on their way to the stream, metadata before bulk.
//
// gather() lists what to send next without copying it, taken() notes how much the stream took.
// A packet once begun is finished before any other; after it comes all metadata, then bulk, of
// which one gather() lists at most about kBulkBytesPerGather: what the stream has not taken yet
// can still be overtaken.
//
// Ownership: owns the encoded bytes, shares the payload.
// Threads:   the client's loop only.
// Limits:    none; callers bound what they queue.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>

#include "base/bytes.h"
#include "sftp/types.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {

struct OutgoingPacket {
  std::uint32_t id = 0;
  Packet head;
  SharedBytes payload;  // follows the head
  std::size_t size() const { return head.size() + payload.size(); }
};

class SendQueue {
 public:
  static constexpr std::size_t kBulkBytesPerGather = 256 * 1024;

  void push(Queue queue, OutgoingPacket packet);
  // Fills `into` from its front and returns how many entries it used.
  std::size_t gather(std::span<iovec> into) const;
  // The stream took the first `bytes` of what gather() listed; `sent` is called with the id of
  // each packet it has now completely.
  void taken(std::size_t bytes, const std::function<void(std::uint32_t)>& sent);
  void clear();

  bool empty() const { return metadata_.empty() && bulk_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  // The queue whose first packet is to be sent next; null when both are empty.
  std::deque<OutgoingPacket>* next();

  std::deque<OutgoingPacket> metadata_;
  std::deque<OutgoingPacket> bulk_;
  std::size_t bytes_ = 0;        // not taken yet, in both queues
  std::size_t begun_bytes_ = 0;  // taken of a packet that is not complete: the first of ...
  bool begun_is_bulk_ = false;   // ... this queue
};

}  // namespace sftpfs::sftp
