// Opens the TCP connection to a server: every address it has, IPv6 and IPv4 side by side.
//
// Ownership: the caller owns the socket (non-blocking, close-on-exec).
// Threads:   any thread; blocks it up to the caller's patience.
// Limits:    a further address is tried every 250 ms or as soon as one has failed (RFC 8305,
//            without its ranking); the first that connects wins.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

struct TcpConnection {
  UniqueFd socket;
  std::string address;  // of the peer, for messages
};

struct TcpDestination {
  std::string host;
  std::uint16_t port = 0;
  int family = 0;  // AF_UNSPEC: any
  // After how long without any acknowledgement the kernel gives the peer up (TCP_USER_TIMEOUT);
  // zero leaves that to the kernel's own minutes.
  std::chrono::milliseconds unacknowledged_max{0};
  bool keep_alive = true;
  std::optional<int> type_of_service{};
  std::string bind_address{};    // empty: the kernel chooses
  std::string bind_interface{};  // empty: any
};

Result<TcpConnection> tcp_connect(const TcpDestination& destination, const Patience& patience);

// How much of what was sent the peer's kernel has acknowledged; 0 where ours does not say.
std::uint64_t tcp_bytes_acknowledged(int fd);

}  // namespace sftpfs::ssh
