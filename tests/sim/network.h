// Network: everything between the client and the server: latency, chunks of any size, and faults
// at random byte positions of either direction.
//
// Ownership: the World; connections stay until its end, whatever becomes of their streams.
// Threads:   the one thread of the simulation. A stream is used on its own loop.
// Limits:    bandwidth is free. One assumption is made: once the client has given a connection up
//            (its stream is destroyed), what it had sent there and has not arrived is never
//            executed. TCP does not promise that: bytes of a connection that was given up can
//            linger in a socket of the server for a while. Without the assumption nobody could
//            tell when a request with an unknown outcome has found it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/byte_stream.h"
#include "runtime/connector.h"
#include "sim/event_queue.h"
#include "sim/model_server.h"
#include "sim/random.h"
#include "sim/trace.h"

namespace sftpfs::sim {

enum class FaultKind : std::uint8_t {
  kReset,      // both ends learn of it at once, what is under way is lost
  kEnd,        // the server's end is closed; what it has sent still arrives
  kBlackHole,  // nothing arrives any more, and nobody is told
  kKill,       // the server process dies; what has arrived may have been executed, unanswered
  kReboot,     // all connections die, and new ones are refused for a while
  kRefuse,     // a reset, and new connections are refused for a while
  kStall,      // nothing moves for a while, then everything goes on
};
inline constexpr unsigned kFaultKinds = 7;
const char* fault_name(FaultKind kind);

struct NetworkConfig {
  std::uint64_t seed = 0;
  Duration latency_min = std::chrono::microseconds(100);
  Duration latency_max = std::chrono::milliseconds(5);
  std::size_t output_bytes_max = 1 << 20;  // what a stream takes before it is blocked
  bool split = true;                       // what is sent arrives in pieces, now and then
  unsigned faults = 0;                     // bits of the kinds that happen; 0: none
  std::uint64_t fault_distance_bytes = 4000;
  // Whether a connection carries further streams. Each has its own faults, which is more than
  // streams of one connection would have to bear.
  bool siblings = false;
};

enum Direction : unsigned { kToServer = 0, kToClient = 1 };

class Network;

// One connection with its server process.
class Connection final : public EventHandler {
 public:
  Connection(Network& network, ModelServer& server, unsigned number);

  void on_event(unsigned direction) override;

  // The client's end (see SimStream).
  void attach(runtime::Loop& loop, runtime::ByteStreamEvents& events);
  void detach();
  Result<std::size_t> read(std::span<const iovec> into);
  std::size_t write(std::span<const iovec> from);
  bool blocked() const { return blocked_; }
  bool ended() const { return end_ != End::kNone; }
  Network& network() const { return network_; }
  bool broken() const { return end_ == End::kReset; }

  // Faults.
  void reset();
  void end();
  void black_hole();
  void kill(bool execute_rest);
  void stall(TimePoint until);

  // Whether the server's process lives and the client has not given it up.
  bool alive() const { return session_ != nullptr && !client_gone_ && !black_hole_; }
  const ServerSession& session() const { return *session_; }
  unsigned number() const { return number_; }

 private:
  enum class End : std::uint8_t { kNone, kClosed, kReset };
  struct Pipe {
    std::string bytes;
    std::size_t begin = 0;  // delivered so far
    bool scheduled = false;
    TimePoint not_before{};
    std::size_t size() const { return bytes.size() - begin; }
    void drop() {
      bytes.clear();
      begin = 0;
    }
  };

  void schedule(Direction direction, Duration delay);
  void deliver(Direction direction, std::size_t count);
  void announce(bool readable);
  void unblock();

  Network& network_;
  const unsigned number_;
  std::unique_ptr<ServerSession> session_;
  std::array<Pipe, 2> pipes_;
  std::string inbox_;  // arrived at the client, not read yet
  std::size_t inbox_begin_ = 0;
  runtime::Loop* loop_ = nullptr;
  runtime::ByteStreamEvents* events_ = nullptr;
  End end_ = End::kNone;
  bool client_gone_ = false;
  bool black_hole_ = false;
  bool blocked_ = false;
};

class Network {
 public:
  Network(EventQueue& events, ModelServer& server, const NetworkConfig& config, Trace& trace);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Null while connections are refused.
  Connection* connect();
  // The same after the time it takes.
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_stream(runtime::Cancel* cancel);
  bool siblings() const { return config_.siblings; }
  Duration latency();
  Duration handshake() { return 2 * latency(); }

  // Faults happen from now on.
  void begin_faults();
  // No more faults, and what was stalled or refused works again; black holes stay what they are.
  void heal();
  // Somebody has got on; faults without that come farther and farther apart, so that there is an
  // end to recovering.
  void progress() { faults_without_progress_ = 0; }
  unsigned faults() const { return faults_; }
  // How many connections have died so far, from the client's point of view or the server's.
  unsigned losses() const { return losses_; }
  std::size_t handles_on_live_connections() const;
  const std::vector<std::unique_ptr<Connection>>& connections() const { return connections_; }

 private:
  friend class Connection;
  struct Fault {
    FaultKind kind = FaultKind::kReset;
    Direction direction = kToServer;
    std::uint64_t at = 0;  // of all bytes of this direction
    Duration length{};
    bool execute_rest = false;
  };
  void next_fault();
  void strike(Connection& connection);
  // How many of `count` bytes may still be delivered before a fault strikes.
  std::size_t up_to_fault(Direction direction, std::size_t count) const;

  EventQueue& events_;
  ModelServer& server_;
  const NetworkConfig config_;
  Trace& trace_;
  Random random_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<std::uint64_t, 2> carried_{};
  std::optional<Fault> fault_;
  TimePoint refused_until_{};
  unsigned faults_ = 0;
  unsigned losses_ = 0;
  unsigned faults_without_progress_ = 0;
};

class SimConnector final : public runtime::Connector {
 public:
  // Before the first connect().
  void bind(Network& network) { network_ = &network; }
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect(
      runtime::Cancel* cancel) override;
  bool can_clone() const override { return true; }

 private:
  Network* network_ = nullptr;
};

}  // namespace sftpfs::sim
