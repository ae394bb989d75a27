// See network.h.
#include "sim/network.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/wait_list.h"

namespace sftpfs::sim {
namespace {

constexpr unsigned kDoublingsMax = 10;

class SimStream final : public runtime::ByteStream {
 public:
  explicit SimStream(Connection& connection) : connection_(connection) {}
  ~SimStream() override { connection_.detach(); }
  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override {
    connection_.attach(loop, events);
    return {};
  }
  Result<std::size_t> read(std::span<const iovec> into) override { return connection_.read(into); }
  Result<std::size_t> write(std::span<const iovec> from) override {
    if (connection_.broken()) return fail(ErrorCode::kConnectionLost, "broken pipe");
    return connection_.write(from);
  }
  bool output_pending() const override { return connection_.blocked(); }
  void set_receive_window(std::size_t /*bytes*/) override {}
  bool may_have_siblings() const override { return connection_.network().siblings(); }
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_sibling(
      runtime::Cancel* cancel) override {
    return connection_.network().open_stream(cancel);
  }
  const std::string& description() const override { return description_; }

 private:
  Connection& connection_;
  const std::string description_ = "simulated";
};

}  // namespace

const char* fault_name(FaultKind kind) {
  constexpr const char* kNames[] = {"reset",  "end",    "black hole", "kill",
                                    "reboot", "refuse", "stall"};
  return kNames[static_cast<std::size_t>(kind)];
}

// --- Connection ---------------------------------------------------------------------------------

Connection::Connection(Network& network, ModelServer& server, unsigned number)
    : network_(network),
      number_(number),
      session_(std::make_unique<ServerSession>(server, number, network.trace_)) {}

void Connection::attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) {
  loop_ = &loop;
  events_ = &events;
  if (ended()) announce(true);
}

// The client gives the connection up; see "one assumption" in network.h.
void Connection::detach() {
  if (session_ != nullptr) ++network_.losses_;
  events_ = nullptr;
  client_gone_ = true;
  session_.reset();
  for (Pipe& pipe : pipes_) pipe.drop();
}

Result<std::size_t> Connection::read(std::span<const iovec> into) {
  std::size_t total = 0;
  for (const iovec& part : into) {
    const std::size_t count = std::min(part.iov_len, inbox_.size() - inbox_begin_);
    std::memcpy(part.iov_base, inbox_.data() + inbox_begin_, count);
    inbox_begin_ += count;
    total += count;
  }
  if (inbox_begin_ == inbox_.size()) {
    inbox_.clear();
    inbox_begin_ = 0;
  }
  const bool all_arrived = pipes_[kToClient].size() == 0;
  if (total == 0 && end_ == End::kReset) {
    return fail(ErrorCode::kConnectionLost, "connection reset");
  }
  if (total == 0 && end_ == End::kClosed && all_arrived) {
    return fail(ErrorCode::kConnectionLost, "connection closed");
  }
  if (total > 0 && ended()) announce(true);
  return total;
}

std::size_t Connection::write(std::span<const iovec> from) {
  Pipe& pipe = pipes_[kToServer];
  const std::size_t room_max = network_.config_.output_bytes_max;
  std::size_t total = 0;
  for (const iovec& part : from) {
    // Into a black hole goes as much as a socket's buffer takes.
    const std::size_t room = room_max - std::min(room_max, pipe.size());
    const std::size_t count = std::min(part.iov_len, room);
    pipe.bytes.append(static_cast<const char*>(part.iov_base), count);
    total += count;
    if (count < part.iov_len) {
      blocked_ = true;
      break;
    }
  }
  if (total > 0) schedule(kToServer, network_.latency());
  return total;
}

void Connection::schedule(Direction direction, Duration delay) {
  Pipe& pipe = pipes_[direction];
  if (pipe.scheduled || black_hole_) return;
  pipe.scheduled = true;
  const TimePoint when = std::max(network_.events_.now() + delay, pipe.not_before);
  network_.events_.at(when, *this, direction);
}

void Connection::on_event(unsigned what) {
  const auto direction = static_cast<Direction>(what);
  Pipe& pipe = pipes_[direction];
  pipe.scheduled = false;
  if (pipe.size() == 0 || black_hole_ || client_gone_) return;
  if (network_.events_.now() < pipe.not_before) return schedule(direction, Duration::zero());
  std::size_t count = pipe.size();
  if (network_.config_.split && network_.random_.one_in(4)) {
    count = static_cast<std::size_t>(network_.random_.between(1, count));
  }
  const std::size_t allowed = network_.up_to_fault(direction, count);
  deliver(direction, allowed);
  if (allowed < count) network_.strike(*this);
  if (pipe.size() > 0) schedule(direction, network_.latency() / 4);
}

void Connection::deliver(Direction direction, std::size_t count) {
  Pipe& pipe = pipes_[direction];
  network_.carried_[direction] += count;
  const std::string_view bytes = std::string_view(pipe.bytes).substr(pipe.begin, count);
  if (direction == kToServer) {
    if (session_ != nullptr) session_->receive(bytes, pipes_[kToClient].bytes);
  } else {
    inbox_.append(bytes);
  }
  pipe.begin += count;
  if (pipe.size() == 0) pipe.drop();
  if (direction == kToServer) {
    if (pipes_[kToClient].size() > 0) schedule(kToClient, network_.latency());
    unblock();
  } else if (count > 0 || ended()) {
    announce(true);
  }
}

void Connection::unblock() {
  if (std::exchange(blocked_, false)) announce(false);
}

// In a turn of its own: the client is never called from inside its own calls.
void Connection::announce(bool readable) {
  if (loop_ == nullptr) return;
  loop_->post([this, readable] {
    if (events_ == nullptr) return;
    if (readable) {
      events_->on_readable();
    } else {
      events_->on_writable();
    }
  });
}

void Connection::reset() {
  if (end_ == End::kReset || black_hole_ || client_gone_) return;
  if (session_ != nullptr) ++network_.losses_;
  session_.reset();
  for (Pipe& pipe : pipes_) pipe.drop();
  end_ = End::kReset;
  announce(true);
}

void Connection::end() {
  if (ended() || black_hole_ || client_gone_) return;
  ++network_.losses_;
  session_.reset();
  pipes_[kToServer].drop();
  end_ = End::kClosed;
  announce(true);
}

void Connection::black_hole() {
  if (session_ == nullptr || black_hole_) return;
  ++network_.losses_;
  black_hole_ = true;
  pipes_[kToClient].drop();
}

void Connection::kill(bool execute_rest) {
  if (session_ != nullptr && execute_rest) {
    Pipe& pipe = pipes_[kToServer];
    std::string unsent;
    session_->receive(std::string_view(pipe.bytes).substr(pipe.begin), unsent);
  }
  end();
}

void Connection::stall(TimePoint until) {
  for (Pipe& pipe : pipes_) pipe.not_before = until;
}

// --- Network ------------------------------------------------------------------------------------

Network::Network(EventQueue& events, ModelServer& server, const NetworkConfig& config, Trace& trace)
    : events_(events), server_(server), config_(config), trace_(trace), random_(config.seed) {}

Connection* Network::connect() {
  if (events_.now() < refused_until_) return nullptr;
  const auto number = static_cast<unsigned>(connections_.size());
  connections_.push_back(std::make_unique<Connection>(*this, server_, number));
  trace_.add("connection {} made", number);
  return connections_.back().get();
}

Duration Network::latency() {
  const auto least = config_.latency_min.count();
  const auto most = config_.latency_max.count();
  return Duration(least + static_cast<Duration::rep>(
                              random_.below(static_cast<std::uint64_t>(most - least + 1))));
}

void Network::begin_faults() {
  if (config_.faults != 0) next_fault();
}

void Network::next_fault() {
  Fault fault;
  do {
    fault.kind = static_cast<FaultKind>(random_.below(kFaultKinds));
  } while ((config_.faults & (1U << static_cast<unsigned>(fault.kind))) == 0);
  fault.direction = random_.one_in(2) ? kToServer : kToClient;
  const std::uint64_t distance = config_.fault_distance_bytes
                                 << std::min(faults_without_progress_, kDoublingsMax);
  fault.at = carried_[fault.direction] + random_.between(1, 2 * distance);
  // From a moment to more than the client waits before it gives a silent server up.
  const std::uint64_t milliseconds =
      random_.one_in(4) ? random_.between(1, 90'000) : random_.between(1, 2'000);
  fault.length = std::chrono::milliseconds(milliseconds);
  fault.execute_rest = random_.one_in(2);
  fault_ = fault;
}

std::size_t Network::up_to_fault(Direction direction, std::size_t count) const {
  if (!fault_ || fault_->direction != direction) return count;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(count, fault_->at - std::min(fault_->at, carried_[direction])));
}

void Network::strike(Connection& connection) {
  const Fault fault = *fault_;
  const TimePoint until = events_.now() + fault.length;
  ++faults_;
  ++faults_without_progress_;
  next_fault();
  trace_.add("fault {}: {} of connection {} at byte {} to the {}, {} ms, rest {}", faults_,
             fault_name(fault.kind), connection.number(), fault.at,
             fault.direction == kToServer ? "server" : "client",
             std::chrono::duration_cast<std::chrono::milliseconds>(fault.length).count(),
             fault.execute_rest ? "executed" : "lost");
  switch (fault.kind) {
    case FaultKind::kReset: connection.reset(); break;
    case FaultKind::kEnd: connection.end(); break;
    case FaultKind::kBlackHole: connection.black_hole(); break;
    case FaultKind::kKill: connection.kill(fault.execute_rest); break;
    case FaultKind::kReboot:
      for (const auto& each : connections_) each->reset();
      refused_until_ = until;
      break;
    case FaultKind::kRefuse:
      connection.reset();
      refused_until_ = until;
      break;
    case FaultKind::kStall: connection.stall(until); break;
  }
}

void Network::heal() {
  trace_.add("healed after {} faults", faults_);
  fault_.reset();
  refused_until_ = TimePoint{};
}

std::size_t Network::handles_on_live_connections() const {
  std::size_t handles = 0;
  for (const auto& connection : connections_) {
    if (connection->alive()) handles += connection->session().open_handles();
  }
  return handles;
}

// --- Connector ----------------------------------------------------------------------------------

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> SimConnector::connect(
    runtime::Cancel* cancel) {
  return network_->open_stream(cancel);
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> Network::open_stream(
    runtime::Cancel* cancel) {
  const Status waited = co_await runtime::sleep_for(handshake(), cancel);
  if (!waited) co_return fail(waited.error());
  Connection* connection = connect();
  if (connection == nullptr) co_return fail(ErrorCode::kConnectionLost, "connection refused");
  co_return std::unique_ptr<runtime::ByteStream>(std::make_unique<SimStream>(*connection));
}

}  // namespace sftpfs::sim
