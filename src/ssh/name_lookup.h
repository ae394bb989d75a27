// Looks up a host's addresses without letting a slow name server hold the caller.
//
// Ownership: getaddrinfo(3) cannot be interrupted, so it runs in a thread of its own that shares
//            its result with the caller; whoever is last frees it.
// Threads:   any thread; blocks it up to the caller's patience.
// Limits:    an abandoned lookup ends by itself when the resolver gives up (seconds).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  std::string text() const;  // without the port
};

// In the resolver's order of preference; never an empty list.
Result<std::vector<Address>> look_up(const std::string& host, std::uint16_t port, int family,
                                     const Patience& patience);

}  // namespace sftpfs::ssh
