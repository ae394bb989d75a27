// See relay_pipe.h.
#include "support/relay_pipe.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sftpfs::test {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// A fast sender must not keep the thread from delivering; what is left is read in the next turn.
constexpr int kReadsPerTurn = 32;

}  // namespace

RelayTime RelayLink::schedule(RelayTime now, std::uint64_t bytes) {
  if (bytes_per_second == 0) return now + delay;
  const std::chrono::nanoseconds duration(bytes * 1'000'000'000 / bytes_per_second);
  free_at = std::max(now, free_at) + duration;
  return free_at + delay;
}

RelayPipe::Result RelayPipe::receive(RelayTime now, std::uint64_t& pieces) {
  std::array<char, kReadBytes> chunk;
  for (int reads = 0; reads < kReadsPerTurn && !ended_; ++reads) {
    const ssize_t count = ::recv(from_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (count < 0) {
      return errno == EAGAIN || errno == EINTR ? Result::kOk : Result::kBroken;
    }
    const auto size = static_cast<std::size_t>(count);
    queue_.push_back({link_.schedule(now, size), {chunk.data(), chunk.data() + size}, 0});
    queued_bytes_ += size;
    ended_ = size == 0;
    if (!ended_) ++pieces;
  }
  return Result::kOk;
}

RelayPipe::Result RelayPipe::deliver(RelayTime now, std::uint64_t limit, std::uint64_t& sent) {
  const std::uint64_t sent_before = sent;
  while (!blocked_ && !queue_.empty() && queue_.front().due <= now) {
    Piece& piece = queue_.front();
    if (piece.bytes.empty()) {
      end_sent_ = true;
      queue_.pop_front();
      return ::shutdown(to_, SHUT_WR) == 0 ? Result::kOk : Result::kBroken;
    }
    const std::uint64_t left = limit - (sent - sent_before);
    if (left == 0) return Result::kOk;
    if (send_piece(piece, left, sent) == Result::kBroken) return Result::kBroken;
    if (piece.sent == piece.bytes.size()) queue_.pop_front();
  }
  return Result::kOk;
}

RelayPipe::Result RelayPipe::send_piece(Piece& piece, std::uint64_t limit, std::uint64_t& sent) {
  const std::size_t size = std::min<std::uint64_t>(piece.bytes.size() - piece.sent, limit);
  const ssize_t count =
      ::send(to_, piece.bytes.data() + piece.sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0) {
    blocked_ = errno == EAGAIN;
    return blocked_ || errno == EINTR ? Result::kOk : Result::kBroken;
  }
  const auto taken = static_cast<std::size_t>(count);
  piece.sent += taken;
  sent += taken;
  queued_bytes_ -= taken;
  return Result::kOk;
}

std::optional<RelayTime> RelayPipe::next_due() const {
  if (blocked_ || queue_.empty()) return std::nullopt;
  return queue_.front().due;
}

}  // namespace sftpfs::test
