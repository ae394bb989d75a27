// See socket_stream.h.
#include "ssh/socket_stream.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/check.h"

namespace sftpfs::ssh {
namespace {

std::size_t total_size(std::span<const iovec> pieces) {
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

// recvmsg and sendmsg rather than readv and writev: MSG_NOSIGNAL keeps SIGPIPE away.
msghdr message_of(std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
  return message;
}

}  // namespace

SocketStream::SocketStream(UniqueFd socket, std::string description)
    : socket_(std::move(socket)), description_(std::move(description)) {}

SocketStream::~SocketStream() {
  // Out of the loop before the descriptor is closed.
  watch_.reset();
}

Status SocketStream::attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) {
  SFTPFS_CHECK(events_ == nullptr);
  events_ = &events;
  watch_.emplace(loop, socket_.get(), static_cast<runtime::IoHandler&>(*this));
  // Level-triggered: what has come before is reported too.
  return watch_->want(EPOLLIN);
}

void SocketStream::on_io(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && writer_waits_) {
    writer_waits_ = false;
    update_interest();
    events_->on_writable();
    return;  // it may have destroyed us; a readable socket is reported again
  }
  if (reader_stopped_) {
    // The reader knows and has not come to the end: no use in being told again and again.
    watched_in_ = false;
    update_interest();
    return;
  }
  reader_stopped_ = true;
  events_->on_readable();
}

void SocketStream::update_interest() {
  if (!watch_) return;
  const std::uint32_t in = watched_in_ ? EPOLLIN : 0U;
  const std::uint32_t out = writer_waits_ ? EPOLLOUT : 0U;
  if (Status watched = watch_->want(in | out); !watched) failure_ = watched.error();
}

Result<std::size_t> SocketStream::read(std::span<const iovec> into) {
  if (failure_) return fail(*failure_);
  const std::size_t wanted = total_size(into);
  if (wanted == 0) return std::size_t{0};
  msghdr message = message_of(into);
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket_.get(), &message, 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    fail_with(ending(got == 0 ? 0 : errno));
    return fail(*failure_);
  }
  const std::size_t count = got < 0 ? 0 : static_cast<std::size_t>(got);
  received_ = received_ || count > 0;
  if (count < wanted) {
    reader_stopped_ = false;
    if (!std::exchange(watched_in_, true)) update_interest();
  }
  return count;
}

Result<std::size_t> SocketStream::write(std::span<const iovec> from) {
  if (failure_) return fail(*failure_);
  const std::size_t wanted = total_size(from);
  if (wanted == 0) return std::size_t{0};
  const msghdr message = message_of(from);
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) {
    fail_with(ending(errno));
    return fail(*failure_);
  }
  const std::size_t count = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  bytes_sent_ += count;
  if (count < wanted) {
    writer_waits_ = true;
    update_interest();
  }
  return count;
}

bool SocketStream::output_pending() const {
  int unread = 0;
  return !failure_ && ::ioctl(socket_.get(), SIOCOUTQ, &unread) == 0 && unread > 0;
}

std::uint64_t SocketStream::bytes_delivered() const {
  int unread = 0;
  if (failure_ || ::ioctl(socket_.get(), SIOCOUTQ, &unread) != 0) return bytes_delivered_;
  // The kernel counts its own overhead too, so this is a lower bound that catches up.
  const std::uint64_t waiting = static_cast<std::uint64_t>(std::max(unread, 0));
  if (bytes_sent_ > waiting) bytes_delivered_ = std::max(bytes_delivered_, bytes_sent_ - waiting);
  return bytes_delivered_;
}

void SocketStream::fail_with(Error error) {
  failure_ = std::move(error);
  watch_.reset();
}

}  // namespace sftpfs::ssh
