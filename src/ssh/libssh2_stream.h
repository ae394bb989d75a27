// Libssh2Stream: an SFTP channel of an authenticated libssh2 session as a ByteStream.
//
//   write() -> gathering_ -> sending_ --channel_write--> session output --send--> socket
//   read() <- libssh2's packets <--channel_read-- session input <--recv-- socket
//
// Two buffers on the way out: libssh2 wants the same pointer and length again after EAGAIN, so
// what it has seen (sending_) is never appended to; small requests of one turn gather into one
// SSH packet.
// Ownership: shares the connection with its siblings, the other channels; the last one ends it.
//            Destroying it waits for nobody.
// Threads:   one until attach(), then the loop's.
// Limits:    takes output up to 256 KiB in all three stages together; input is bounded by the
//            channel's window, which is how much the server may send unasked (up to 64 MiB).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "ssh/byte_queue.h"
#include "ssh/libssh2_connection.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

class Libssh2Stream final : public runtime::ByteStream {
 public:
  // `channel` of this connection is open.
  Libssh2Stream(std::shared_ptr<Libssh2Connection> connection, LIBSSH2_CHANNEL* channel);
  ~Libssh2Stream() override;

  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override;
  Result<std::size_t> read(std::span<const iovec> into) override;
  Result<std::size_t> write(std::span<const iovec> from) override;
  bool output_pending() const override { return output_bytes() > 0; }
  std::uint64_t bytes_delivered() const override { return session_.bytes_delivered(); }
  void set_receive_window(std::size_t bytes) override;
  bool may_have_siblings() const override { return true; }
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_sibling(
      runtime::Cancel* cancel) override {
    return Libssh2Connection::open_stream(connection_, cancel);
  }
  const std::string& description() const override { return description_; }

  // For the connection.
  void input_has_come();
  void notify_readable();
  void output_has_gone();
  // Moves output on as far as it goes, through libssh2.
  void pump();
  void fail_with(Error error);
  bool failed() const { return failure_.has_value(); }

 private:
  std::size_t output_bytes() const {
    return gathering_.size() + sending_.size() + session_.output_size();
  }
  std::size_t read_into(char* into, std::size_t size);
  void top_up_window();
  void drain_stderr();
  void notify_writable();

  const std::shared_ptr<Libssh2Connection> connection_;
  Libssh2Session& session_;
  LIBSSH2_CHANNEL* const channel_;
  std::string description_;
  runtime::Loop* loop_ = nullptr;
  runtime::ByteStreamEvents* events_ = nullptr;
  ByteQueue gathering_;
  ByteQueue sending_;
  std::size_t window_bytes_;
  bool writer_waits_ = false;  // a write() took less than it was given
  bool read_notice_posted_ = false;
  bool write_notice_posted_ = false;
  std::optional<Error> failure_;  // final
  // Posted notices hold a weak reference: they may run after the stream is gone.
  std::shared_ptr<Libssh2Stream*> self_;
};

}  // namespace sftpfs::ssh
