// settle(): asks ssh itself (`ssh -G`) what its configuration says about a host, and which of the
// two transports can do all that.
//
//   Options ──ssh -G──► ClientConfig ──what does it need?──► libssh2 (kAuto stays), or ssh(1)
//               └─ no ssh(1) here: the built-in defaults
//
// Done once, before the first connection: clones and reconnects find the same answers even when
// somebody edits ssh_config meanwhile.
//
// Ownership: a plain value.
// Threads:   any thread; blocks it, for as long as a "Match exec" of the user's takes (10 s at
// most). Limits:    an `ssh_command` of the user's own is not asked: it is only run.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/options.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

struct Settled {
  Options options;
  // One line each, for the log: why ssh(1), and what libssh2 does not do of what is asked for.
  std::vector<std::string> notes;
};

// kInvalid: ssh does not understand its configuration, or libssh2 was demanded and must not go on
// without something that only ssh(1) can do.
Result<Settled> settle(Options options, const Interrupt* interrupt);

}  // namespace sftpfs::ssh
