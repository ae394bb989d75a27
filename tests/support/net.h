// TCP on loopback: free ports, and waiting for a server to answer.
//
// Threads: every function from any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "support/deadline.h"

namespace sftpfs::test {

// A port of 127.0.0.1 that nobody listened on a moment ago; another may take it first, so whoever
// uses it must be ready to try again.
std::uint16_t free_loopback_port();
// A non-blocking socket listening on 127.0.0.1; port 0 takes a free one.
UniqueFd listen_on_loopback(std::uint16_t port);
std::uint16_t local_port(int socket);
// An empty descriptor when nobody listens.
UniqueFd connect_to_loopback(std::uint16_t port);
// Whether the peer sends `greeting` (the start of its first bytes) before the deadline.
bool greets_with(std::uint16_t port, const std::string& greeting, const Deadline& deadline);
// Established connections that have `port` at one end, in this network namespace.
int connections_with_port(std::uint16_t port);

}  // namespace sftpfs::test
