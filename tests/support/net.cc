// See net.h.
#include "support/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <fstream>
#include <sstream>

#include "support/test_error.h"

namespace sftpfs::test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

UniqueFd tcp_socket(int flags) {
  return UniqueFd(must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
}

}  // namespace

std::uint16_t free_loopback_port() { return local_port(listen_on_loopback(0).get()); }

UniqueFd listen_on_loopback(std::uint16_t port) {
  UniqueFd socket = tcp_socket(SOCK_NONBLOCK);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  must(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
       "bind to 127.0.0.1:" + std::to_string(port));
  must(::listen(socket.get(), SOMAXCONN), "listen");
  return socket;
}

std::uint16_t local_port(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  must(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

UniqueFd connect_to_loopback(std::uint16_t port) {
  UniqueFd socket = tcp_socket(0);
  const sockaddr_in address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

bool greets_with(std::uint16_t port, const std::string& greeting, const Deadline& deadline) {
  const UniqueFd socket = connect_to_loopback(port);
  if (!socket) return false;
  std::string received;
  while (received.size() < greeting.size()) {
    pollfd readable{socket.get(), POLLIN, 0};
    if (::poll(&readable, 1, deadline.remaining_ms()) <= 0) return false;
    std::array<char, 64> chunk;
    const ssize_t count = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (count <= 0) return false;
    received.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return received.compare(0, greeting.size(), greeting) == 0;
}

int connections_with_port(std::uint16_t port) {
  constexpr int kEstablished = 1;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  int count = 0;
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string slot;
    std::string local;
    std::string remote;
    int state = 0;
    words >> slot >> local >> remote >> std::hex >> state;
    const auto has_port = [port](const std::string& address) {
      return std::stoul(address.substr(address.find(':') + 1), nullptr, 16) == port;
    };
    if (state == kEstablished && (has_port(local) || has_port(remote))) ++count;
  }
  return count;
}

}  // namespace sftpfs::test
