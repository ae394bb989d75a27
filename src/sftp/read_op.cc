// See read_op.h.
//
// The range is asked for in parts, all at once, up to the part in which the file is believed to
// end. Each part ends in one of three ways: filled; an error; the end of the file (EOF, an empty
// DATA, or a short one that reaches the known size). A part answered short otherwise asks for its
// rest. When none is outstanding:
//
//   missing range with data behind it  -> the file grew under us: ask for it again, once
//   an error before any missing range  -> the error
//   a missing range                    -> its begin is how much there was
//   all filled, more than was believed -> ask for the rest
//   all filled                         -> everything
#include "sftp/read_op.h"

#include <algorithm>
#include <utility>

#include "sftp/encode.h"

namespace sftpfs::sftp {

class ReadOp::Part final : public PendingReply {
 public:
  Part(std::shared_ptr<ReadOp> op, const Range& range) : op_(std::move(op)), range_(range) {}
  PacketType expected() const override { return PacketType::kData; }
  void on_reply(const Reply& reply) override { op_->on_status(range_, reply); }
  void on_lost(const Error& why) override { op_->on_lost(why); }
  std::size_t data_bytes_max() const override { return range_.size(); }
  MutableByteSpan data_destination(std::size_t position) override {
    return op_->destination(range_, position);
  }
  void on_data_end(std::size_t bytes) override { op_->on_data(range_, bytes); }

 private:
  std::shared_ptr<ReadOp> op_;
  Range range_;
};

Call<std::size_t> ReadOp::start(Engine& engine, ReadArgs args) {
  auto state = std::make_shared<CallState<std::size_t>>();
  const auto op = std::make_shared<ReadOp>(engine, std::move(args), state);
  const Status begun = op->begin();
  if (!begun) return Call<std::size_t>(begun.error());
  return Call<std::size_t>(std::move(state));
}

ReadOp::ReadOp(Engine& engine, ReadArgs args, std::shared_ptr<CallState<std::size_t>> state)
    : engine_(engine),
      args_(std::move(args)),
      state_(std::move(state)),
      part_bytes_max_(engine.limits().read_bytes_max),
      known_end_(args_.into.size()) {
  if (args_.known_size > args_.offset && args_.known_size - args_.offset < args_.into.size()) {
    known_end_ = args_.known_size - args_.offset;
  }
}

Status ReadOp::begin() {
  Status room = engine_.has_room(known_end_ / part_bytes_max_ + 1);
  if (!room) return room;
  if (args_.offset + args_.into.size() < args_.offset) {
    return fail(ErrorCode::kInvalid, "a read beyond the largest offset");
  }
  ask_ahead();
  settle();
  return {};
}

void ReadOp::ask_ahead() {
  while (asked_end_ < known_end_ && !error_) {
    Range range;
    range.begin = asked_end_;
    range.end = asked_end_ + std::min(part_bytes_max_, args_.into.size() - asked_end_);
    asked_end_ = range.end;
    ask(range);
  }
}

void ReadOp::ask(const Range& range) {
  Request request;
  request.pending = std::make_unique<Part>(shared_from_this(), range);
  request.data_bytes = range.size();
  Packet packet = encode_read(args_.handle, args_.offset + range.begin,
                              static_cast<std::uint32_t>(range.size()));
  // Counted first: submitting may find the connection dead and tell the request so.
  ++outstanding_;
  Status submitted = engine_.submit(args_.queue, std::move(packet), std::move(request));
  if (submitted) return;
  --outstanding_;
  note_error(range, std::move(submitted).error());
}

MutableByteSpan ReadOp::destination(const Range& range, std::size_t position) const {
  if (!state_->wanted()) return {};
  return args_.into.subspan(range.begin + position, range.size() - position);
}

void ReadOp::on_data(const Range& range, std::size_t bytes) {
  --outstanding_;
  if (!state_->wanted()) return;
  Range rest = range;
  rest.begin += bytes;
  if (bytes > 0) data_end_ = std::max(data_end_, rest.begin);
  if (rest.size() > 0) {
    const bool at_end = bytes == 0 || rest.begin == known_end_;
    if (at_end) {
      missing_.push_back(rest);
    } else {
      ask(rest);
    }
  }
  settle();
}

void ReadOp::on_status(const Range& range, const Reply& reply) {
  --outstanding_;
  if (!state_->wanted()) return;
  const Status status = decode_status(reply);
  if (status) {
    note_error(range, Error(ErrorCode::kProtocol, "the server answered a READ without data"));
  } else if (status.error().is_sftp(kFxEof)) {
    missing_.push_back(range);
  } else {
    note_error(range, status.error());
  }
  settle();
}

void ReadOp::on_lost(const Error& why) {
  --outstanding_;
  state_->complete(fail(why));
}

void ReadOp::note_error(const Range& range, Error error) {
  if (error_ && error_at_ <= range.begin) return;
  error_.emplace(std::move(error));
  error_at_ = range.begin;
}

void ReadOp::settle() {
  if (outstanding_ > 0 || !state_->wanted()) return;
  std::sort(missing_.begin(), missing_.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const std::size_t contiguous = missing_.empty() ? asked_end_ : missing_.front().begin;
  if (error_ && error_at_ < contiguous) return state_->complete(fail(*error_));
  if (!missing_.empty()) {
    if (!repeat_hole()) state_->complete(contiguous);
    return;
  }
  const bool grown = asked_end_ > known_end_ && asked_end_ < args_.into.size();
  if (!grown) return state_->complete(contiguous);
  known_end_ = args_.into.size();
  ask_ahead();
  settle();
}

bool ReadOp::repeat_hole() {
  Range hole = missing_.front();
  if (hole.repeated || data_end_ <= hole.begin) return false;
  missing_.erase(missing_.begin());
  hole.repeated = true;
  ask(hole);
  settle();
  return true;
}

}  // namespace sftpfs::sftp
