// See libssh2_stream.h.
#include "ssh/libssh2_stream.h"

#include <fmt/core.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kOutputBytesMax = 256 * 1024;
constexpr std::size_t kWindowBytesMin = 2 * 1024 * 1024;
constexpr std::size_t kWindowBytesMax = 64 * 1024 * 1024;
constexpr int kStdoutStream = 0;

}  // namespace

Libssh2Stream::Libssh2Stream(std::unique_ptr<Libssh2Session> session)
    : session_(std::move(session)),
      description_(fmt::format("{} (libssh2, {})", session_->peer(), session_->cipher())),
      window_bytes_(kWindowBytesMin),
      self_(std::make_shared<Libssh2Stream*>(this)) {}

Libssh2Stream::~Libssh2Stream() {
  if (loop_ != nullptr) loop_->forget_turn_end(*this);
}

Status Libssh2Stream::attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) {
  SFTPFS_CHECK(loop_ == nullptr);
  loop_ = &loop;
  events_ = &events;
  watch_.emplace(loop, session_->fd(), static_cast<runtime::IoHandler&>(*this));
  if (Status watched = watch_->want(EPOLLIN); !watched) return watched;
  if (session_->proxy() != nullptr) session_->proxy()->errors().attach(loop);
  // Bytes may have come while the channel was opened; epoll knows nothing of them.
  notify_readable();
  return {};
}

// Level-triggered: what is not taken now is reported again, so one recv() per event is enough.
void Libssh2Stream::on_io(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    session_->fill();
    // A window that opened, or an answer to a key exchange, may let output go on.
    loop_->at_turn_end(*this);
    events_->on_readable();
    return;  // on_readable() may have destroyed us
  }
  if (events & EPOLLOUT) pump();
}

void Libssh2Stream::on_turn_end() { pump(); }

// One channel_read: how many bytes, 0 for "nothing now" or after a failure.
std::size_t Libssh2Stream::read_into(char* into, std::size_t size) {
  while (!failure_) {
    const std::size_t before = session_->input_size();
    const ssize_t got = libssh2_channel_read_ex(session_->channel(), kStdoutStream, into, size);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      fail_with(Error(ErrorCode::kConnectionLost,
                      fmt::format("{}: the server ended the SFTP channel", session_->peer())));
    } else if (got != LIBSSH2_ERROR_EAGAIN) {
      fail_with(session_->failure(static_cast<long>(got)));
    } else if (session_->input_size() != before && session_->input_size() > 0) {
      continue;
    } else if (session_->ended()) {
      fail_with(session_->failure(LIBSSH2_ERROR_SOCKET_DISCONNECT));
    } else if (session_->drained() || session_->fill() == 0) {
      if (!session_->ended()) return 0;
    }
  }
  return 0;
}

Result<std::size_t> Libssh2Stream::read(std::span<const iovec> into) {
  if (failure_) return fail(*failure_);
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
  if (failure_) {
    if (total == 0) return fail(*failure_);
    // The bytes first; the reader comes again because of this notice and then gets the error.
    notify_readable();
    return total;
  }
  if (!more) drain_stderr();
  top_up_window();
  // Reading makes libssh2 send: window adjustments, answers to requests, key exchanges.
  if (output_pending()) loop_->at_turn_end(*this);
  update_interest();
  return total;
}

Result<std::size_t> Libssh2Stream::write(std::span<const iovec> from) {
  if (failure_) return fail(*failure_);
  std::size_t room = kOutputBytesMax - std::min(kOutputBytesMax, output_bytes());
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
  if (taken > 0) loop_->at_turn_end(*this);
  return taken;
}

// Moves output on as far as it goes: through libssh2, then into the socket.
void Libssh2Stream::pump() {
  if (failure_) return;
  const std::size_t input_before = session_->input_size();
  while (true) {
    if (sending_.empty()) std::swap(sending_, gathering_);
    if (sending_.empty()) break;
    const ByteSpan bytes = sending_.front();
    const ssize_t sent =
        libssh2_channel_write_ex(session_->channel(), kStdoutStream,
                                 reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // No window, or keys are being exchanged: the server's next words let us go on.
    if (sent == LIBSSH2_ERROR_EAGAIN || sent == 0) break;
    if (sent < 0) {
      fail_with(session_->failure(static_cast<long>(sent)));
      notify_readable();
      return;
    }
    sending_.consume(static_cast<std::size_t>(sent));
  }
  session_->flush();
  // channel_write reads too, and what it has read will wake nobody.
  if (session_->input_size() != input_before) notify_readable();
  if (writer_waits_ && output_bytes() < kOutputBytesMax / 2) notify_writable();
  update_interest();
}

void Libssh2Stream::update_interest() {
  if (!watch_ || failure_) return;
  // With the input queue full the reader has stopped; the kernel's buffer, and then the window,
  // make the server stop too. At the end of the stream there is nothing left to be told.
  const bool deaf = session_->ended() || session_->input_full();
  const std::uint32_t in = deaf ? 0U : EPOLLIN;
  const std::uint32_t out = session_->output_size() > 0 && !session_->ended() ? EPOLLOUT : 0U;
  if (Status watched = watch_->want(in | out); !watched) {
    fail_with(watched.error());
    notify_readable();
  }
}

// libssh2 itself refills the window only up to what the channel was opened with.
void Libssh2Stream::top_up_window() {
  if (window_bytes_ <= kWindowBytesMin) return;
  const unsigned long now = libssh2_channel_window_read_ex(session_->channel(), nullptr, nullptr);
  if (now >= window_bytes_ / 4 * 3) return;
  libssh2_channel_receive_window_adjust2(session_->channel(), window_bytes_ - now, 1, nullptr);
  loop_->at_turn_end(*this);
}

void Libssh2Stream::set_receive_window(std::size_t bytes) {
  window_bytes_ = std::clamp(bytes, kWindowBytesMin, kWindowBytesMax);
  if (!failure_ && loop_ != nullptr) top_up_window();
}

// Undrained, what the server's shell or sftp-server complains of would eat the window.
void Libssh2Stream::drain_stderr() {
  std::array<char, 1024> text{};
  while (true) {
    const ssize_t got = libssh2_channel_read_ex(session_->channel(), SSH_EXTENDED_DATA_STDERR,
                                                text.data(), text.size());
    if (got <= 0) return;
    log_debug("{}: server says: {}", session_->peer(),
              std::string_view(text.data(), static_cast<std::size_t>(got)));
  }
}

void Libssh2Stream::fail_with(Error error) {
  if (failure_) return;
  failure_ = std::move(error);
  watch_.reset();
}

void Libssh2Stream::notify_readable() {
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
