// See tcp.h.
#include "ssh/tcp.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "ssh/name_lookup.h"

namespace sftpfs::ssh {
namespace {

constexpr std::chrono::milliseconds kNextAddressAfter{250};
// Looks for a dead peer after a minute of silence; the SFTP layer's pings are quicker.
constexpr int kKeepIdleSeconds = 60;
constexpr int kKeepIntervalSeconds = 15;
constexpr int kKeepCount = 4;

// Alternates the families, so that one that leads nowhere costs one step, not all its addresses.
std::deque<Address> interleave(const std::vector<Address>& addresses) {
  std::deque<Address> same;
  std::deque<Address> other;
  for (const Address& address : addresses) {
    (address.family() == addresses.front().family() ? same : other).push_back(address);
  }
  std::deque<Address> ordered;
  while (!same.empty() || !other.empty()) {
    for (std::deque<Address>* family : {&same, &other}) {
      if (family->empty()) continue;
      ordered.push_back(family->front());
      family->pop_front();
    }
  }
  return ordered;
}

void set_option(int fd, int level, int name, int value) {
  // None of these decides whether the connection works.
  [[maybe_unused]] const int rc = ::setsockopt(fd, level, name, &value, sizeof(value));
}

void tune(int fd, std::chrono::milliseconds unacknowledged_max) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  if (unacknowledged_max.count() > 0) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               static_cast<int>(std::min<std::int64_t>(unacknowledged_max.count(), INT_MAX)));
  }
}

// The race of the addresses.
class Race {
 public:
  Race(std::deque<Address> addresses, std::chrono::milliseconds unacknowledged_max)
      : waiting_(std::move(addresses)), unacknowledged_max_(unacknowledged_max) {}

  // Until one is connected; an empty result means that all have failed.
  Result<std::optional<TcpConnection>> run(const Patience& patience);
  // The first failure: that of the preferred address.
  int first_errno() const { return first_errno_; }

 private:
  struct Runner {
    UniqueFd socket;
    Address address;
  };
  void start_next();
  void failed(int error) {
    if (first_errno_ == 0) first_errno_ = error;
  }
  std::optional<TcpConnection> finish_ready(const std::vector<pollfd>& polled);

  std::deque<Address> waiting_;
  std::chrono::milliseconds unacknowledged_max_;
  std::vector<Runner> running_;
  int first_errno_ = 0;
};

void Race::start_next() {
  const Address address = waiting_.front();
  waiting_.pop_front();
  UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed(errno);
  tune(socket.get(), unacknowledged_max_);
  const int rc =
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  if (rc != 0 && errno != EINPROGRESS) return failed(errno);
  running_.push_back(Runner{std::move(socket), address});
}

std::optional<TcpConnection> Race::finish_ready(const std::vector<pollfd>& polled) {
  for (const pollfd& entry : polled) {
    if (entry.revents == 0) continue;
    const auto runner = std::find_if(running_.begin(), running_.end(), [&entry](const Runner& r) {
      return r.socket.get() == entry.fd;
    });
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) return TcpConnection{std::move(runner->socket), runner->address.text()};
    failed(error);
    running_.erase(runner);
  }
  return std::nullopt;
}

Result<std::optional<TcpConnection>> Race::run(const Patience& patience) {
  while (true) {
    if (running_.empty() && waiting_.empty()) return std::optional<TcpConnection>();
    if (!waiting_.empty()) start_next();
    if (running_.empty()) continue;
    std::vector<pollfd> polled;
    for (const Runner& runner : running_) polled.push_back({runner.socket.get(), POLLOUT, 0});
    const Duration at_most = waiting_.empty() ? Duration(std::chrono::hours(1)) : kNextAddressAfter;
    Result<int> ready = patience.poll(polled, at_most);
    if (!ready) return fail(ready.error());
    if (std::optional<TcpConnection> winner = finish_ready(polled)) return winner;
  }
}

}  // namespace

Result<TcpConnection> tcp_connect(const std::string& host, std::uint16_t port, int family,
                                  std::chrono::milliseconds unacknowledged_max,
                                  const Patience& patience) {
  Result<std::vector<Address>> addresses = look_up(host, port, family, patience);
  if (!addresses) return fail(addresses.error());
  Race race(interleave(*addresses), unacknowledged_max);
  Result<std::optional<TcpConnection>> won = race.run(patience);
  if (!won) {
    if (!won.error().is(ErrorCode::kTimedOut)) return fail(won.error());
    return fail(ErrorCode::kTimedOut,
                fmt::format("cannot connect to {} port {}: no answer in time", host, port));
  }
  if (!*won) {
    return fail(ErrorCode::kConnectionLost, fmt::format("cannot connect to {} port {}: {}", host,
                                                        port, std::strerror(race.first_errno())));
  }
  return std::move(**won);
}

}  // namespace sftpfs::ssh
