// RelayPipe: one direction of one relayed connection; the queue of what is under way.
//
// Ownership: a RelayConnection (relay.cc) owns two; the sockets belong to the connection.
// Threads:   the relay's thread only.
// Limits:    the queue is unbounded (see relay.h).
//
//   reading --peer's FIN--> draining --queue empty, FIN passed on--> done
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace sftpfs::test {

using RelayTime = std::chrono::steady_clock::time_point;

// When a piece leaves the link: shared by all connections of one direction.
struct RelayLink {
  std::chrono::microseconds delay{0};
  std::uint64_t bytes_per_second = 0;
  RelayTime free_at{};  // when the link has sent all it was given

  RelayTime schedule(RelayTime now, std::uint64_t bytes);
};

class RelayPipe {
 public:
  enum class Result { kOk, kBroken };

  RelayPipe(int from, int to, RelayLink& link) : from_(from), to_(to), link_(link) {}

  // Takes what has arrived. `pieces` counts what was read.
  Result receive(RelayTime now, std::uint64_t& pieces);
  // Sends what is due, at most `limit` bytes; `sent` grows by what was taken.
  Result deliver(RelayTime now, std::uint64_t limit, std::uint64_t& sent);

  // When deliver() has something to do; empty: nothing queued, or the receiver is not ready.
  std::optional<RelayTime> next_due() const;
  bool wants_write() const { return blocked_; }
  void unblock() { blocked_ = false; }
  bool reading() const { return !ended_; }
  bool done() const { return ended_ && end_sent_; }
  std::uint64_t queued_bytes() const { return queued_bytes_; }

 private:
  struct Piece {
    RelayTime due;
    std::vector<char> bytes;
    std::size_t sent = 0;
  };
  Result send_piece(Piece& piece, std::uint64_t limit, std::uint64_t& sent);

  int from_;
  int to_;
  RelayLink& link_;
  std::deque<Piece> queue_;  // an empty piece is the sender's FIN
  std::uint64_t queued_bytes_ = 0;
  bool blocked_ = false;   // the receiver's socket buffer is full
  bool ended_ = false;     // the sender has sent FIN
  bool end_sent_ = false;  // and it was passed on
};

}  // namespace sftpfs::test
