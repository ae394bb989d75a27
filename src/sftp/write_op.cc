// See write_op.h.
#include "sftp/write_op.h"

#include <algorithm>
#include <utility>

#include "sftp/encode.h"

namespace sftpfs::sftp {

class WriteOp::Part final : public PendingReply {
 public:
  explicit Part(std::shared_ptr<WriteOp> op) : op_(std::move(op)) {}
  PacketType expected() const override { return PacketType::kStatus; }
  void on_reply(const Reply& reply) override { op_->part_done(decode_status(reply)); }
  void on_lost(const Error& why) override { op_->part_done(fail(why)); }

 private:
  std::shared_ptr<WriteOp> op_;
};

Call<void> WriteOp::start(Engine& engine, const Handle& handle, std::uint64_t offset,
                          SharedBytes data) {
  const Status room = engine.has_room(data.size() / engine.limits().write_bytes_max + 1);
  if (!room) return Call<void>(room.error());
  if (offset + data.size() < offset) {
    return Call<void>(Error(ErrorCode::kInvalid, "a write beyond the largest offset"));
  }
  auto state = std::make_shared<CallState<void>>();
  if (data.empty()) {
    state->complete({});
  } else {
    std::make_shared<WriteOp>(std::move(data), state)->send(engine, handle, offset);
  }
  return Call<void>(std::move(state));
}

WriteOp::WriteOp(SharedBytes data, std::shared_ptr<CallState<void>> state)
    : data_(std::move(data)), state_(std::move(state)) {}

void WriteOp::send(Engine& engine, const Handle& handle, std::uint64_t offset) {
  const std::size_t part_bytes_max = engine.limits().write_bytes_max;
  // One more than there are parts, so that a connection that dies meanwhile ends the operation
  // only after the loop.
  ++outstanding_;
  Status outcome;
  for (std::size_t begin = 0; begin < data_.size() && outcome; begin += part_bytes_max) {
    const std::size_t bytes = std::min(part_bytes_max, data_.size() - begin);
    Request request;
    request.pending = std::make_unique<Part>(shared_from_this());
    request.data_bytes = bytes;
    request.writes = true;
    Packet head = encode_write_head(handle, offset + begin, static_cast<std::uint32_t>(bytes));
    ++outstanding_;
    outcome = engine.submit(Queue::kBulk, std::move(head), std::move(request),
                            data_.subspan(begin, bytes));
    if (!outcome) --outstanding_;
  }
  part_done(std::move(outcome));
}

void WriteOp::part_done(Status outcome) {
  if (!outcome && !error_) error_.emplace(std::move(outcome).error());
  if (--outstanding_ > 0) return;
  if (error_) {
    state_->complete(fail(*error_));
  } else {
    state_->complete({});
  }
}

}  // namespace sftpfs::sftp
