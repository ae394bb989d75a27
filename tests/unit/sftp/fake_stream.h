// FakeStream: a byte stream in memory, with the test at its other end. It can deliver in pieces of
// any size, take writes in pieces, and end at any moment.
//
// Ownership: the stream and the test share its FarEnd, which survives the stream.
// Threads:   one loop's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "runtime/byte_stream.h"
#include "runtime/loop.h"

namespace sftpfs::test {

class FarEnd : public std::enable_shared_from_this<FarEnd> {
 public:
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  // What the client is to receive; it is told in a turn of its own.
  void deliver(ByteSpan bytes) {
    incoming_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    announce();
  }
  void deliver(const std::string& text) { deliver(as_byte_span(text)); }
  // The stream ends behind what has been delivered.
  void end(Error error) {
    end_ = std::move(error);
    announce();
  }
  // How much one on_readable() yields.
  void set_piece_bytes(std::size_t bytes) { piece_bytes_ = bytes; }
  // How much more may be written; what was blocked goes on.
  void set_room(std::size_t bytes) {
    room_ = bytes;
    if (std::exchange(blocked_, false)) {
      post([](runtime::ByteStreamEvents& events) { events.on_writable(); });
    }
  }
  // As a stream whose peer has gone: its buffers still take something.
  void take_without_delivering() { delivers_ = false; }
  // Takes what the client has sent since the last time.
  std::string take_sent() { return std::exchange(sent_, {}); }
  std::size_t writes() const { return writes_; }
  bool released() const { return released_; }
  void fail_attach() { fails_attach_ = true; }
  void fail_writes() { fails_writes_ = true; }

 private:
  friend class FakeStream;

  void post(void (*call)(runtime::ByteStreamEvents&)) {
    if (loop_ == nullptr) return;
    loop_->post([weak = weak_from_this(), call] {
      const auto self = weak.lock();
      if (self && self->events_ != nullptr) call(*self->events_);
    });
  }
  void announce() {
    post([](runtime::ByteStreamEvents& events) { events.on_readable(); });
  }

  Result<std::size_t> read(std::span<const iovec> into) {
    std::size_t total = 0;
    for (const iovec& part : into) {
      const std::size_t count = std::min({part.iov_len, incoming_.size(), piece_bytes_ - total});
      std::memcpy(part.iov_base, incoming_.data(), count);
      incoming_.erase(0, count);
      total += count;
    }
    if (total == 0 && end_) return fail(*end_);
    if (total == piece_bytes_ || end_) announce();
    return total;
  }

  Result<std::size_t> write(std::span<const iovec> from) {
    if (fails_writes_) return fail(ErrorCode::kConnectionLost, "broken pipe");
    ++writes_;
    std::size_t total = 0;
    for (const iovec& part : from) {
      const std::size_t count = std::min(part.iov_len, room_);
      sent_.append(static_cast<const char*>(part.iov_base), count);
      if (room_ != kUnlimited) room_ -= count;
      total += count;
      if (delivers_) bytes_delivered_ += count;
      if (count < part.iov_len) {
        blocked_ = true;
        break;
      }
    }
    return total;
  }

  runtime::Loop* loop_ = nullptr;
  runtime::ByteStreamEvents* events_ = nullptr;
  std::string incoming_;
  std::string sent_;
  std::optional<Error> end_;
  std::size_t piece_bytes_ = kUnlimited;
  std::size_t room_ = kUnlimited;
  std::size_t writes_ = 0;
  std::uint64_t bytes_delivered_ = 0;
  bool delivers_ = true;
  bool blocked_ = false;
  bool released_ = false;
  bool fails_attach_ = false;
  bool fails_writes_ = false;
};

class FakeStream final : public runtime::ByteStream {
 public:
  explicit FakeStream(std::shared_ptr<FarEnd> end) : end_(std::move(end)) {}
  ~FakeStream() override {
    end_->events_ = nullptr;
    end_->released_ = true;
  }
  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override {
    if (end_->fails_attach_) return fail(ErrorCode::kConnectionLost, "cannot attach");
    end_->loop_ = &loop;
    end_->events_ = &events;
    if (!end_->incoming_.empty() || end_->end_) end_->announce();
    return {};
  }
  Result<std::size_t> read(std::span<const iovec> into) override { return end_->read(into); }
  Result<std::size_t> write(std::span<const iovec> from) override { return end_->write(from); }
  bool output_pending() const override { return end_->blocked_ || !end_->delivers_; }
  std::uint64_t bytes_delivered() const override { return end_->bytes_delivered_; }
  void set_receive_window(std::size_t) override {}
  const std::string& description() const override { return description_; }

 private:
  std::shared_ptr<FarEnd> end_;
  std::string description_ = "user@fake";
};

}  // namespace sftpfs::test
