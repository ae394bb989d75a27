// Relay: a TCP relay on loopback that delays, throttles and cuts.
//
// Each byte arrives `delay` later than it was sent, as on a long link. The queue between is
// unbounded and the sender is always read from at once, so the relay itself never limits the
// window: only the two peers' own windows do, as on a real link of that length.
//
//   sender --read at once--> [ (due time, bytes) ... ] --write when due--> receiver
//
// Ownership: owns its listener, its connections and one thread; all end with the object.
// Threads:   every method from any thread.
// Limits:    a receiver that does not read makes the queue grow; tests bound what they send.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "support/deadline.h"

namespace sftpfs::test {

enum class Direction { kToServer, kToClient };

enum class CutMode {
  kReset,      // RST to both sides, at once
  kClose,      // FIN to both sides, after what was already delivered
  kBlackHole,  // nothing moves any more and nobody is told, as when a cable is pulled
};

struct RelayOptions {
  std::uint16_t listen_port = 0;  // 0: a free one
  std::chrono::microseconds delay_to_server{0};
  std::chrono::microseconds delay_to_client{0};
  std::uint64_t bytes_per_second = 0;  // in each direction, shared by all connections; 0: no limit
};

struct RelayStats {
  std::uint64_t connections = 0;       // accepted so far
  std::uint64_t open_connections = 0;  // now
  std::uint64_t bytes_to_server = 0;   // delivered
  std::uint64_t bytes_to_client = 0;
  std::uint64_t reads_to_server = 0;  // pieces received: about one per message of the sender
  std::uint64_t reads_to_client = 0;
  std::uint64_t peak_queued_bytes = 0;
};

class Relay {
 public:
  explicit Relay(std::uint16_t target_port, const RelayOptions& options = {});
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const;
  RelayStats stats() const;

  // For bytes that arrive from now on.
  void set_delay(Direction direction, std::chrono::microseconds delay);
  void set_bandwidth(std::uint64_t bytes_per_second);

  // Cuts every connection that is open now. A black hole also swallows new ones until heal().
  void cut(CutMode mode);
  // Cuts the connection that delivers byte number `count` (from 1, counted from now over all
  // connections) in `direction`, right after that byte. One such order at a time; the last wins.
  void cut_at(Direction direction, std::uint64_t count, CutMode mode);
  // As cut_at(), but calls `action` instead, on the relay's thread, while nothing else is relayed;
  // it must not use the relay.
  void call_at(Direction direction, std::uint64_t count, std::function<void()> action);
  // Whether no cut_at() or call_at() is waiting any more.
  bool cut_done() const;
  // Waits until then, or until the deadline; false in the latter case.
  bool wait_cut(const Deadline& deadline) const;
  // Takes a waiting order back.
  void cancel_cut();
  // Waits until `condition` holds; it is looked at whenever the relay has done something.
  bool wait_stats(const std::function<bool(const RelayStats&)>& condition,
                  const Deadline& deadline) const;
  // New connections are reset instead of relayed, until heal().
  void refuse();
  // Ends a black hole (what waited is delivered) and accepts connections again.
  void heal();

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sftpfs::test
