// Needs: what a resolved configuration asks for that libssh2 cannot do.
//
// Ownership: a plain value.
// Threads:   any thread; reads key files and known_hosts, and asks the agent for its list (for a
//            second at most).
// Limits:    what only the server can tell (RSA host keys alone) is found when connecting.
#pragma once

#include <string>
#include <vector>

#include "ssh/client_config.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

struct Needs {
  // Libssh2 must not go on without: somebody relies on a refusal.
  std::vector<std::string> refused;
  // Libssh2 may fail without; transport=auto takes ssh(1).
  std::vector<std::string> wanted;
  // Nothing is lost but comfort.
  std::vector<std::string> hints;
};

Needs needs_of(const ClientConfig& config, const Target& target);

}  // namespace sftpfs::ssh
