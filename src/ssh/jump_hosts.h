// ProxyJump's list of hosts: "[user@]host[:port],...", from the one that is dialled to the one that
// connects us.
//
// Ownership: plain values.
// Threads:   any.
// Limits:    a name that could be taken for an option of ssh(1) is refused.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace sftpfs::ssh {

struct JumpHost {
  std::string user;  // empty: not said
  std::string host;
  std::string port;  // digits; empty: not said
};

// At least one; kInvalid names the one that is no host.
Result<std::vector<JumpHost>> parse_jump_hosts(const std::string& list);
// All but the last, which are its own way; empty where there are none.
std::string earlier_jump_hosts(const std::string& list);

}  // namespace sftpfs::ssh
