// Daemon: from a command that waits at the terminal to a file system that serves in the
// background, in the order that autofs and systemd need.
//
//   parent: fork ── wait ────────────────────────────────────── exit(code)
//   child:         connect, log in ─ mount(2) ─ FUSE_INIT ─ ready() ─ serve ...
//
// autofs lets the mounting process through by its process group, so the child leaves the group
// (setsid) only in ready(), when the mount is complete. Until then it has the terminal, may ask for
// passwords, and dies with the parent or on Ctrl-C; what it fails of is the parent's one line and
// exit code.
//
// Ownership: run_daemon() owns the socket between the two; Readiness belongs to it.
// Threads:   run_daemon() must be called before any thread is started; ready() on the thread that
//            runs the body (the kernel ties the parent-death signal to it).
// Limits:    no time limit of its own: connecting has one, typing a password has none.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "app/exit_code.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::app {

// How a body ended. The message is one line without the programme's name; empty: say nothing.
struct Outcome {
  ExitCode code = ExitCode::kOk;
  std::string message;
};

// The child's end of the story.
class Readiness {
 public:
  // In the foreground there is nobody to tell: ready() only remembers.
  Readiness() = default;
  explicit Readiness(UniqueFd parent);
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // The mount serves: leaves the process group, the directory and the terminal, and lets the
  // parent go. Call once.
  Status ready();
  bool is_ready() const { return ready_; }

 private:
  UniqueFd parent_;  // a socket; empty in the foreground
  std::thread::id owner_ = std::this_thread::get_id();
  bool ready_ = false;
};

using DaemonBody = std::function<Outcome(Readiness&)>;

// Runs `body`: in this process when `foreground`, else in a child, while this process waits until
// the child is ready or has ended. Returns the code to exit with; in the child it returns too,
// when the body has ended, so that both leave through main(). Failures before ready() are printed
// to standard error as "ident: message"; later ones are logged.
ExitCode run_daemon(bool foreground, const std::string& ident, const DaemonBody& body);

}  // namespace sftpfs::app
