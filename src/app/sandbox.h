// The sandbox that a mount serves in: whoever takes over the process by what a server sends finds
// little to do with it.
//
//   capabilities   root's: CAP_SYS_ADMIN goes too (drop_rights() took most others before)
//   no_new_privs   nothing that it starts may get more rights
//   Landlock       every file can be read as before; only `writable` directories can be changed
//   seccomp        no new process and no other programme; calls that only an attacker wants end the
//                  process, all others that serving does not need answer ENOSYS, because libraries
//                  know what to do about a call that a kernel lacks
//
// Only for mounts that start no programme once they serve: a child, as ssh(1) or a ProxyCommand,
// would inherit all of it, and users' programmes may need anything.
//
// Ownership: a Sandbox holds the rules until the last thread has taken them.
// Threads:   restrict_thread() in every thread of the process, then restrict_calls() in one of them
//            for all. None of it can be undone.
// Limits:    what the kernel lacks is left out, with a line in the log. Builds with sanitizers or
//            coverage have no Landlock and no seccomp: their run times write files and trace.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::app {

class Sandbox {
 public:
  static Result<Sandbox> create(const std::vector<std::string>& writable);

  // Capabilities, no_new_privs and Landlock, of the calling thread.
  Status restrict_thread() const;
  // seccomp, of all threads.
  static Status restrict_calls();

 private:
  explicit Sandbox(UniqueFd ruleset) : ruleset_(std::move(ruleset)) {}

  UniqueFd ruleset_;  // empty: the kernel has no Landlock
};

}  // namespace sftpfs::app
