// See tcp.h.
#include "ssh/tcp.h"

#include <fmt/core.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "ssh/messages.h"
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

void tune(int fd, int family, const TcpDestination& destination) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (destination.keep_alive) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalSeconds);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  }
  if (destination.type_of_service) {
    const bool six = family == AF_INET6;
    set_option(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TCLASS : IP_TOS,
               *destination.type_of_service);
  }
  const std::int64_t timeout_ms = destination.unacknowledged_max.count();
  if (timeout_ms > 0) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               static_cast<int>(std::min<std::int64_t>(timeout_ms, INT_MAX)));
  }
}

// The race of the addresses.
class Race {
 public:
  // `sources`: the local addresses to connect from, one per family; empty: the kernel's choice.
  Race(std::deque<Address> addresses, std::vector<Address> sources,
       const TcpDestination& destination)
      : waiting_(std::move(addresses)), sources_(std::move(sources)), destination_(destination) {}

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
  // 0, or why the socket cannot be bound as the user wants.
  int bind_to_source(int fd, int family) const;
  std::optional<TcpConnection> finish_ready(const std::vector<pollfd>& polled);

  std::deque<Address> waiting_;
  std::vector<Address> sources_;
  const TcpDestination& destination_;
  std::vector<Runner> running_;
  int first_errno_ = 0;
};

int Race::bind_to_source(int fd, int family) const {
  if (destination_.bind_address.empty() && destination_.bind_interface.empty()) return 0;
  for (const Address& source : sources_) {
    if (source.family() != family) continue;
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&source.storage), source.size) == 0 ? 0
                                                                                            : errno;
  }
  return EADDRNOTAVAIL;
}

void Race::start_next() {
  const Address address = waiting_.front();
  waiting_.pop_front();
  UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed(errno);
  tune(socket.get(), address.family(), destination_);
  if (const int error = bind_to_source(socket.get(), address.family()); error != 0) {
    return failed(error);
  }
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

std::vector<Address> addresses_of_interface(const std::string& name) {
  std::vector<Address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (name != entry->ifa_name || entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    Address address;
    address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&address.storage, entry->ifa_addr, address.size);
    found.push_back(address);
  }
  return found;
}

// BindAddress is stronger than BindInterface, as in ssh(1).
Result<std::vector<Address>> source_addresses(const TcpDestination& destination,
                                              const Patience& patience) {
  if (!destination.bind_address.empty()) {
    return look_up(destination.bind_address, 0, AF_UNSPEC, patience);
  }
  if (!destination.bind_interface.empty()) {
    return addresses_of_interface(destination.bind_interface);
  }
  return std::vector<Address>();
}

Error refusal(const TcpDestination& destination, int error) {
  const char* cause = std::strerror(error);
  return Error(ErrorCode::kConnectionLost,
               fmt::format("cannot connect to {} port {}: {}{}", destination.host, destination.port,
                           cause, unreachable_cure(cause)));
}

}  // namespace

Result<TcpConnection> tcp_connect(const TcpDestination& destination, const Patience& patience) {
  const std::string& host = destination.host;
  const std::uint16_t port = destination.port;
  Result<std::vector<Address>> addresses = look_up(host, port, destination.family, patience);
  if (!addresses) return fail(addresses.error());
  Result<std::vector<Address>> sources = source_addresses(destination, patience);
  if (!sources) return fail(sources.error());
  Race race(interleave(*addresses), std::move(*sources), destination);
  Result<std::optional<TcpConnection>> won = race.run(patience);
  if (!won) {
    if (!won.error().is(ErrorCode::kTimedOut)) return fail(won.error());
    return fail(ErrorCode::kTimedOut, fmt::format("cannot connect to {} port {}: {}", host, port,
                                                  no_answer_text(std::to_string(port))));
  }
  if (!*won) return fail(refusal(destination, race.first_errno()));
  return std::move(**won);
}

}  // namespace sftpfs::ssh
