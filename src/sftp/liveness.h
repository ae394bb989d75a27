// Liveness: notices that a server has fallen silent without closing the connection.
//
//               silent for an interval: ping            silent for the limit
//   listening ───────────────────────────► asked ───────────────────────────► dead
//     ▲ ▲                                    │ │                               ▲
//     │ └── anything heard ──────────────────┘ │                               │
//     │                                        │ probe()                       │
//     └── answered ────────────────────── probing ── no answer in time ────────┘
//
// A ping is a cheap request (REALPATH "."); any byte from the server is a sign of life. So is
// output that goes on being taken by the network while more waits behind it: a slow link is not a
// dead one. Our own bytes in buffers of ours are none.
//
// probe() is for after a suspend, when the other end may long be gone: the ping itself must be
// answered within a second or four round trips, unless data are still coming in. Where this
// process stood still itself, nobody knows what waits unread, so it asks again and judges then.
//
// Ownership: a Session owns one per connection; the client outlives it.
// Threads:   the client's loop only.
// Limits:    a dead server is noticed `missed_max` (at least 2) intervals after its last sign of
//            life.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "runtime/loop.h"
#include "sftp/client.h"

namespace sftpfs::sftp {

class Liveness {
 public:
  // `on_dead` is called once, from a timer; it may destroy this object.
  Liveness(runtime::Loop& loop, Client& client, Duration interval, int missed_max,
           std::function<void()> on_dead);

  void probe();

 private:
  enum class State : std::uint8_t { kListening, kAsked, kProbing };

  void tick();
  void tick_silent(TimePoint now);
  void tick_probing(TimePoint now);
  void listen();
  void ask_within(Duration window);
  void arm(TimePoint due);
  void die();

  Client& client_;
  runtime::Loop& loop_;
  const Duration interval_;
  const Duration limit_;
  std::function<void()> on_dead_;
  runtime::Timer timer_;
  TimePoint due_{};

  State state_ = State::kListening;
  TimePoint life_{};             // the last sign of it
  std::uint64_t delivered_ = 0;  // output, as of the last tick
  Duration window_{};            // of the probe
  TimePoint probed_at_{};
  std::optional<Call<std::string>> ping_;  // of the probe; empty where it could not be sent
};

}  // namespace sftpfs::sftp
