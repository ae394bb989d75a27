// Proxy: a child through which a server is reached: ProxyCommand, or `ssh -W` for ProxyJump, as
// ssh(1) itself does it. Its standard input and output are our connection.
//
// Ownership: belongs to the session whose bytes it carries. Destroying it waits for nobody.
// Threads:   the session's. The child ends with the thread that started it (child.h).
// Limits:    a jump host's own questions are asked by its ssh, at the terminal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/child.h"
#include "ssh/child_errors.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

class Proxy {
 public:
  struct Started {
    std::unique_ptr<Proxy> proxy;
    UniqueFd socket;
  };
  // `may_prompt`: somebody may be asked for the jump host's password.
  static Result<Started> start(const Target& target, bool may_prompt);

  ChildErrors& errors() { return errors_; }
  // Why the connection through it has ended.
  Error complaint(const std::string& peer);

 private:
  Proxy(Child child, UniqueFd errors, std::string through)
      : child_(std::move(child)),
        errors_(std::move(errors), through, {}),
        through_(std::move(through)) {}

  Child child_;
  ChildErrors errors_;
  std::string through_;  // "ProxyJump a,b" or "ProxyCommand"
};

// The argument vector; kInvalid where ProxyJump makes no sense.
Result<std::vector<std::string>> proxy_command_line(const Target& target, bool may_prompt);

}  // namespace sftpfs::ssh
