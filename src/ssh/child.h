// Child: a programme whose standard input and output are our end of a socket pair.
//
// Ownership: a Child owns its process. Destroying it never waits: it asks the process to end
//            (SIGTERM) and hands it to a thread of its own, which kills what does not end within
//            two seconds and reaps it, so no zombie is left.
// Threads:   one thread at a time. The process gets SIGTERM when the *thread* that started it
//            ends (PR_SET_PDEATHSIG), so that a killed daemon leaves none behind: start it from a
//            thread that lives as long as the stream.
// Limits:    Linux 5.3 (pidfd).
//
// Terminal. The child stays in the process group and session it is born in: only so may ssh ask
// for a password on the terminal from which the mount was started. It ignores SIGINT, SIGQUIT,
// SIGHUP and SIGTSTP (ssh respects that), because the same keys pressed later, when the mount
// runs in the background, must not take it down. Ctrl-C during a prompt ends the mount command
// itself, and with it the child.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

class Child {
 public:
  struct Started;
  struct Setup {
    std::vector<std::string> environment;  // "NAME=value", in place of our own entries
    // Standard error is a socket: what is written to our end of it, the child and its children can
    // read there.
    bool answerable = false;
  };
  // Fails with kSystem when `argv` cannot be executed.
  static Result<Started> start(const std::vector<std::string>& argv, const Setup& setup);
  static Result<Started> start(const std::vector<std::string>& argv);

  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { dismiss(); }

  pid_t pid() const { return pid_; }
  // "exit status 255" or "signal 9" once it has ended, else empty.
  std::optional<std::string> ending();
  // Until it has ended.
  Status wait(const Patience& patience);

 private:
  Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void dismiss();

  pid_t pid_ = -1;  // -1: none, or already reaped
  UniqueFd pidfd_;
  std::optional<std::string> ending_;
};

struct Child::Started {
  Child child;
  UniqueFd socket;  // non-blocking; its standard input and output
  UniqueFd errors;  // non-blocking; its standard error
};

}  // namespace sftpfs::ssh
