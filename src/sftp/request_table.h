// RequestTable: which request waits for which answer.
//
// Ownership: owns what waits until its answer has come or the conversation has ended.
// Threads:   the client's loop only.
// Limits:    kRequestsMax entries. Ids count up through 32 bits and skip those still in use, so
//            that a late answer is never taken for another request's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "sftp/decode.h"
#include "sftp/link_estimator.h"

namespace sftpfs::sftp {

// What waits for one answer. Exactly one of on_reply(), on_data_end() and on_lost() is called.
class PendingReply {
 public:
  virtual ~PendingReply() = default;

  // Besides STATUS, which may answer anything.
  virtual PacketType expected() const = 0;
  // Never with DATA.
  virtual void on_reply(const Reply& reply) = 0;
  virtual void on_lost(const Error& why) = 0;

  // Only where DATA is expected: how much may come, where it goes from `position` on (empty:
  // nobody wants it any more), and that `bytes` of it are complete.
  virtual std::size_t data_bytes_max() const { return 0; }
  virtual MutableByteSpan data_destination(std::size_t /*position*/) { return {}; }
  virtual void on_data_end(std::size_t /*bytes*/) {}
};

struct Request {
  std::unique_ptr<PendingReply> pending;
  std::size_t data_bytes = 0;  // which it carries or asks for
  bool writes = false;         // data_bytes travel to the server
  bool sent = false;           // the stream has all of it
  LinkEstimator::Mark mark{};
};

class RequestTable {
 public:
  static constexpr std::size_t kRequestsMax = 65536;

  explicit RequestTable(std::uint32_t first_id = 0) : next_id_(first_id) {}

  bool has_room(std::size_t requests) const { return requests_.size() + requests <= kRequestsMax; }
  // There must be room.
  std::uint32_t add(Request request);
  // Null when no such request waits.
  Request* find(std::uint32_t id);
  Request take(std::uint32_t id);
  std::vector<Request> take_all();
  std::size_t size() const { return requests_.size(); }
  bool empty() const { return requests_.empty(); }

 private:
  std::unordered_map<std::uint32_t, Request> requests_;
  std::uint32_t next_id_;
};

}  // namespace sftpfs::sftp
