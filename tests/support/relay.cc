// See relay.h.
#include "support/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <limits>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "support/net.h"
#include "support/relay_pipe.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::size_t index_of(Direction direction) { return direction == Direction::kToServer ? 0 : 1; }

void set_socket_options(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Closing with this linger sends RST instead of FIN.
void reset_on_close(int socket) {
  const linger hard{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

struct Connection {
  Connection(UniqueFd client_socket, UniqueFd server_socket, std::array<RelayLink, 2>& links)
      : client(std::move(client_socket)),
        server(std::move(server_socket)),
        pipes{RelayPipe(client.get(), server.get(), links[0]),
              RelayPipe(server.get(), client.get(), links[1])} {}
  UniqueFd client;
  UniqueFd server;
  std::array<RelayPipe, 2> pipes;          // by index_of()
  std::array<std::uint32_t, 2> watched{};  // what epoll looks for at client and server
};

struct PendingCut {
  Direction direction;
  std::uint64_t bytes_left;
  CutMode mode;
  std::function<void()> action;  // instead of a cut, if there is one
};

}  // namespace

class Relay::Engine {
 public:
  Engine(std::uint16_t target_port, const RelayOptions& options);
  ~Engine();

  std::uint16_t port() const { return port_; }
  RelayStats stats();
  void set_delay(Direction direction, std::chrono::microseconds delay);
  void set_bandwidth(std::uint64_t bytes_per_second);
  void cut(CutMode mode);
  void cut_at(PendingCut cut);
  void cancel_cut();
  bool cut_done();
  bool wait_cut(const Deadline& deadline);
  bool wait_stats(const std::function<bool(const RelayStats&)>& condition,
                  const Deadline& deadline);
  void refuse();
  void heal();

 private:
  void run();
  void wait();
  void accept_all();
  void serve(Connection& connection, bool& broken);
  bool serve_pipe(Connection& connection, std::size_t index);
  void close(Connection& connection, CutMode mode);
  void watch(Connection& connection);
  void arm_timer();
  void wake();
  RelayStats stats_now() const;  // with the mutex held

  const std::uint16_t target_port_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_;

  std::mutex mutex_;  // guards everything below
  std::array<RelayLink, 2> links_;
  std::list<Connection> connections_;
  std::optional<PendingCut> pending_cut_;
  RelayStats stats_;
  bool black_hole_ = false;
  bool refusing_ = false;
  bool stopping_ = false;
  std::condition_variable turned_;  // after each turn

  std::thread thread_;
};

Relay::Engine::Engine(std::uint16_t target_port, const RelayOptions& options)
    : target_port_(target_port),
      listener_(listen_on_loopback(options.listen_port)),
      port_(local_port(listener_.get())),
      epoll_(must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(must(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      timer_(must(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd")) {
  links_[0] = {options.delay_to_server, options.bytes_per_second, {}};
  links_[1] = {options.delay_to_client, options.bytes_per_second, {}};
  for (const int fd : {listener_.get(), wake_.get(), timer_.get()}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    must(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }
  thread_ = std::thread([this] { run(); });
}

Relay::Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
}

void Relay::Engine::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

// The set of connections is small, so one turn looks at each of them: which one epoll meant does
// not matter, only that something happened.
void Relay::Engine::run() {
  while (true) {
    wait();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    accept_all();
    for (auto connection = connections_.begin(); connection != connections_.end();) {
      bool broken = false;
      serve(*connection, broken);
      connection = broken ? connections_.erase(connection) : std::next(connection);
    }
    for (Connection& connection : connections_) watch(connection);
    arm_timer();
    turned_.notify_all();
  }
}

void Relay::Engine::wait() {
  std::array<epoll_event, 16> events;
  ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
  std::uint64_t ignored = 0;
  (void)!::read(wake_.get(), &ignored, sizeof ignored);
  (void)!::read(timer_.get(), &ignored, sizeof ignored);
}

void Relay::Engine::accept_all() {
  while (true) {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    ++stats_.connections;
    if (refusing_) {
      reset_on_close(client.get());
      continue;
    }
    UniqueFd server = connect_to_loopback(target_port_);
    if (!server) {
      reset_on_close(client.get());
      continue;
    }
    set_socket_options(client.get());
    connections_.emplace_back(std::move(client), std::move(server), links_);
  }
}

void Relay::Engine::serve(Connection& connection, bool& broken) {
  if (black_hole_) return;
  for (std::size_t index = 0; index < connection.pipes.size(); ++index) {
    if (serve_pipe(connection, index)) continue;
    close(connection, CutMode::kReset);
    broken = true;
    return;
  }
  std::uint64_t queued = 0;
  for (const RelayPipe& pipe : connection.pipes) queued += pipe.queued_bytes();
  stats_.peak_queued_bytes = std::max(stats_.peak_queued_bytes, queued);
  if (pending_cut_ && pending_cut_->bytes_left == 0) {
    const PendingCut cut = *std::exchange(pending_cut_, std::nullopt);
    if (cut.action) return cut.action();
    const CutMode mode = cut.mode;
    close(connection, mode);
    broken = mode != CutMode::kBlackHole;
    return;
  }
  broken = connection.pipes[0].done() && connection.pipes[1].done();
}

// False when the connection is broken.
bool Relay::Engine::serve_pipe(Connection& connection, std::size_t index) {
  RelayPipe& pipe = connection.pipes[index];
  std::uint64_t& pieces = index == 0 ? stats_.reads_to_server : stats_.reads_to_client;
  std::uint64_t& delivered = index == 0 ? stats_.bytes_to_server : stats_.bytes_to_client;
  if (pipe.receive(std::chrono::steady_clock::now(), pieces) == RelayPipe::Result::kBroken) {
    return false;
  }
  const bool counted = pending_cut_ && index_of(pending_cut_->direction) == index;
  const std::uint64_t before = delivered;
  pipe.unblock();
  const auto result = pipe.deliver(std::chrono::steady_clock::now(),
                                   counted ? pending_cut_->bytes_left : kNoLimit, delivered);
  if (counted) pending_cut_->bytes_left -= delivered - before;
  return result == RelayPipe::Result::kOk;
}

void Relay::Engine::close(Connection& connection, CutMode mode) {
  switch (mode) {
    case CutMode::kReset:
      reset_on_close(connection.client.get());
      reset_on_close(connection.server.get());
      break;
    case CutMode::kClose: break;
    case CutMode::kBlackHole: black_hole_ = true; break;
  }
}

// Level-triggered, so only what would lead to work may be asked for; and as errors and hang-ups
// cannot be masked, a socket of which nothing is wanted leaves the set.
void Relay::Engine::watch(Connection& connection) {
  const auto ask = [&](std::size_t side, int fd, const RelayPipe& from, const RelayPipe& to) {
    std::uint32_t wanted = 0;
    if (!black_hole_ && from.reading()) wanted |= EPOLLIN;
    if (!black_hole_ && to.wants_write()) wanted |= EPOLLOUT;
    std::uint32_t& watched = connection.watched[side];
    if (wanted == watched) return;
    const int change = wanted == 0 ? EPOLL_CTL_DEL : watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_event event{wanted, {.fd = fd}};
    ::epoll_ctl(epoll_.get(), change, fd, &event);
    watched = wanted;
  };
  ask(0, connection.client.get(), connection.pipes[0], connection.pipes[1]);
  ask(1, connection.server.get(), connection.pipes[1], connection.pipes[0]);
}

void Relay::Engine::arm_timer() {
  std::optional<RelayTime> earliest;
  for (const Connection& connection : connections_) {
    for (const RelayPipe& pipe : connection.pipes) {
      const auto due = pipe.next_due();
      if (due && (!earliest || *due < *earliest)) earliest = due;
    }
  }
  itimerspec when{};
  if (earliest && !black_hole_) {
    const auto since_epoch = earliest->time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = std::chrono::nanoseconds(since_epoch - seconds).count();
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

RelayStats Relay::Engine::stats() {
  const std::lock_guard lock(mutex_);
  return stats_now();
}

RelayStats Relay::Engine::stats_now() const {
  RelayStats result = stats_;
  result.open_connections = connections_.size();
  return result;
}

void Relay::Engine::set_delay(Direction direction, std::chrono::microseconds delay) {
  const std::lock_guard lock(mutex_);
  links_[index_of(direction)].delay = delay;
}

void Relay::Engine::set_bandwidth(std::uint64_t bytes_per_second) {
  const std::lock_guard lock(mutex_);
  for (RelayLink& link : links_) link.bytes_per_second = bytes_per_second;
}

void Relay::Engine::cut(CutMode mode) {
  {
    const std::lock_guard lock(mutex_);
    if (mode == CutMode::kBlackHole) black_hole_ = true;
    for (Connection& connection : connections_) close(connection, mode);
    if (mode != CutMode::kBlackHole) connections_.clear();
  }
  wake();
}

void Relay::Engine::cut_at(PendingCut cut) {
  const std::lock_guard lock(mutex_);
  pending_cut_ = std::move(cut);
}

void Relay::Engine::cancel_cut() {
  const std::lock_guard lock(mutex_);
  pending_cut_.reset();
}

bool Relay::Engine::cut_done() {
  const std::lock_guard lock(mutex_);
  return !pending_cut_;
}

bool Relay::Engine::wait_cut(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  return turned_.wait_until(lock, deadline.at(), [this] { return !pending_cut_; });
}

bool Relay::Engine::wait_stats(const std::function<bool(const RelayStats&)>& condition,
                               const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  return turned_.wait_until(lock, deadline.at(), [&] { return condition(stats_now()); });
}

void Relay::Engine::refuse() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
}

void Relay::Engine::heal() {
  {
    const std::lock_guard lock(mutex_);
    black_hole_ = false;
    refusing_ = false;
  }
  wake();
}

Relay::Relay(std::uint16_t target_port, const RelayOptions& options)
    : engine_(std::make_unique<Engine>(target_port, options)) {}
Relay::~Relay() = default;
std::uint16_t Relay::port() const { return engine_->port(); }
RelayStats Relay::stats() const { return engine_->stats(); }
void Relay::set_delay(Direction direction, std::chrono::microseconds delay) {
  engine_->set_delay(direction, delay);
}
void Relay::set_bandwidth(std::uint64_t bytes_per_second) {
  engine_->set_bandwidth(bytes_per_second);
}
void Relay::cut(CutMode mode) { engine_->cut(mode); }
void Relay::cut_at(Direction direction, std::uint64_t count, CutMode mode) {
  engine_->cut_at({direction, count, mode, {}});
}
void Relay::call_at(Direction direction, std::uint64_t count, std::function<void()> action) {
  engine_->cut_at({direction, count, CutMode::kReset, std::move(action)});
}
void Relay::cancel_cut() { engine_->cancel_cut(); }
bool Relay::wait_cut(const Deadline& deadline) const { return engine_->wait_cut(deadline); }
bool Relay::wait_stats(const std::function<bool(const RelayStats&)>& condition,
                       const Deadline& deadline) const {
  return engine_->wait_stats(condition, deadline);
}
bool Relay::cut_done() const { return engine_->cut_done(); }
void Relay::refuse() { engine_->refuse(); }
void Relay::heal() { engine_->heal(); }

}  // namespace sftpfs::test
