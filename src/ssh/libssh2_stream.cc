// See libssh2_stream.h.
#include "ssh/libssh2_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kWindowBytesMin = 2 * 1024 * 1024;
constexpr std::size_t kWindowBytesMax = 64 * 1024 * 1024;
constexpr int kStdoutStream = 0;

}  // namespace

Libssh2Stream::Libssh2Stream(std::shared_ptr<Libssh2Connection> connection,
                             LIBSSH2_CHANNEL* channel)
    : connection_(std::move(connection)),
      session_(connection_->session()),
      channel_(channel),
      description_(fmt::format("{} (libssh2, {})", session_.peer(), session_.cipher())),
      window_bytes_(kWindowBytesMin),
      self_(std::make_shared<Libssh2Stream*>(this)) {
  connection_->join(*this);
}

Libssh2Stream::~Libssh2Stream() { connection_->leave(*this, channel_); }

Status Libssh2Stream::attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) {
  SFTPFS_CHECK(loop_ == nullptr);
  loop_ = &loop;
  events_ = &events;
  if (Status attached = connection_->attach(loop); !attached) return attached;
  // Bytes may have come while the channel was opened; epoll knows nothing of them.
  notify_readable();
  return {};
}

void Libssh2Stream::input_has_come() {
  if (events_ != nullptr) events_->on_readable();
}

// One channel_read: how many bytes, 0 for "nothing now" or after a failure.
std::size_t Libssh2Stream::read_into(char* into, std::size_t size) {
  while (!failure_) {
    const std::size_t before = session_.input_size();
    const ssize_t got = libssh2_channel_read_ex(channel_, kStdoutStream, into, size);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      fail_with(Error(ErrorCode::kConnectionLost,
                      fmt::format("{}: the server ended the SFTP channel", session_.peer())));
    } else if (got != LIBSSH2_ERROR_EAGAIN) {
      fail_with(session_.failure(static_cast<long>(got)));
    } else if (session_.input_size() != before && session_.input_size() > 0) {
      continue;
    } else if (session_.ended()) {
      fail_with(session_.failure(LIBSSH2_ERROR_SOCKET_DISCONNECT));
    } else if (session_.drained() || session_.fill() == 0) {
      if (!session_.ended()) return 0;
    }
  }
  return 0;
}

Result<std::size_t> Libssh2Stream::read(std::span<const iovec> into) {
  if (failure_) return fail(*failure_);
  const std::uint64_t taken_before = session_.input_taken();
  std::size_t total = 0;
  bool more = true;
  for (const iovec& piece : into) {
    std::size_t filled = 0;
    while (more && filled < piece.iov_len) {
      const std::size_t got =
          read_into(static_cast<char*>(piece.iov_base) + filled, piece.iov_len - filled);
      filled += got;
      more = got > 0;
    }
    total += filled;
  }
  if (session_.input_taken() != taken_before) connection_->input_was_taken(this);
  if (failure_) {
    if (total == 0) return fail(*failure_);
    // The bytes first; the reader comes again because of this notice and then gets the error.
    notify_readable();
    return total;
  }
  if (!more) drain_stderr();
  top_up_window();
  // Reading makes libssh2 send: window adjustments, answers to requests, key exchanges.
  if (output_pending()) connection_->pump_at_turn_end();
  connection_->update_interest();
  return total;
}

Result<std::size_t> Libssh2Stream::write(std::span<const iovec> from) {
  if (failure_) return fail(*failure_);
  constexpr std::size_t kMax = Libssh2Connection::kOutputBytesMax;
  std::size_t room = kMax - std::min(kMax, output_bytes());
  std::size_t taken = 0;
  for (const iovec& piece : from) {
    const std::size_t count = std::min(room, piece.iov_len);
    gathering_.append({static_cast<const std::byte*>(piece.iov_base), count});
    taken += count;
    room -= count;
    if (count < piece.iov_len) {
      writer_waits_ = true;
      break;
    }
  }
  if (taken > 0) connection_->pump_at_turn_end();
  return taken;
}

void Libssh2Stream::pump() {
  // What one channel may send must not pile up before what others have to say.
  while (!failure_ && session_.output_size() < Libssh2Connection::kOutputBytesMax) {
    if (sending_.empty()) std::swap(sending_, gathering_);
    if (sending_.empty()) break;
    const ByteSpan bytes = sending_.front();
    const ssize_t sent = libssh2_channel_write_ex(
        channel_, kStdoutStream, reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // No window, or keys are being exchanged: the server's next words let us go on.
    if (sent == LIBSSH2_ERROR_EAGAIN || sent == 0) break;
    if (sent < 0) return fail_with(session_.failure(static_cast<long>(sent)));
    sending_.consume(static_cast<std::size_t>(sent));
  }
}

void Libssh2Stream::output_has_gone() {
  if (writer_waits_ && output_bytes() < Libssh2Connection::kOutputBytesMax / 2) notify_writable();
}

// libssh2 itself refills the window only up to what the channel was opened with.
void Libssh2Stream::top_up_window() {
  if (window_bytes_ <= kWindowBytesMin) return;
  const unsigned long now = libssh2_channel_window_read_ex(channel_, nullptr, nullptr);
  if (now >= window_bytes_ / 4 * 3) return;
  libssh2_channel_receive_window_adjust2(channel_, window_bytes_ - now, 1, nullptr);
  connection_->pump_at_turn_end();
}

void Libssh2Stream::set_receive_window(std::size_t bytes) {
  window_bytes_ = std::clamp(bytes, kWindowBytesMin, kWindowBytesMax);
  if (!failure_ && loop_ != nullptr) top_up_window();
}

// Undrained, what the server's shell or sftp-server complains of would eat the window.
void Libssh2Stream::drain_stderr() {
  std::array<char, 1024> text{};
  while (true) {
    const ssize_t got =
        libssh2_channel_read_ex(channel_, SSH_EXTENDED_DATA_STDERR, text.data(), text.size());
    if (got <= 0) return;
    log_debug("{}: server says: {}", session_.peer(),
              std::string_view(text.data(), static_cast<std::size_t>(got)));
  }
}

void Libssh2Stream::fail_with(Error error) {
  if (failure_) return;
  failure_ = std::move(error);
  connection_->stream_failed();
  notify_readable();
}

void Libssh2Stream::notify_readable() {
  if (loop_ == nullptr) return;  // attach() does it
  if (std::exchange(read_notice_posted_, true)) return;
  loop_->post([weak = std::weak_ptr<Libssh2Stream*>(self_)] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->read_notice_posted_ = false;
    (*self)->events_->on_readable();
  });
}

void Libssh2Stream::notify_writable() {
  if (std::exchange(write_notice_posted_, true)) return;
  loop_->post([weak = std::weak_ptr<Libssh2Stream*>(self_)] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->write_notice_posted_ = false;
    (*self)->writer_waits_ = false;
    (*self)->events_->on_writable();
  });
}

}  // namespace sftpfs::ssh
