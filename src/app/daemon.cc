// See daemon.h.
#include "app/daemon.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/log.h"

namespace sftpfs::app {
namespace {

constexpr char kReadyByte = 'R';
// How long a child that was told to stop may take before it is killed: it may have to unmount.
constexpr int kStopPatienceMs = 10'000;

void say(const std::string& ident, const std::string& message) {
  const std::string line = fmt::format("{}: {}\n", ident, message);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

sigset_t stop_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&set, signal);
  return set;
}

// Blocks the stop signals while the parent waits, and restores what was.
class BlockedSignals {
 public:
  BlockedSignals() {
    const sigset_t set = stop_signals();
    SFTPFS_CHECK(::pthread_sigmask(SIG_BLOCK, &set, &previous_) == 0);
  }
  ~BlockedSignals() { restore(); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  void restore() { ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

 private:
  sigset_t previous_{};
};

ExitCode run_body(const std::string& ident, const DaemonBody& body, Readiness& readiness) {
  const Outcome outcome = body(readiness);
  if (!outcome.message.empty()) {
    if (readiness.is_ready()) {
      log_error("{}", outcome.message);
    } else {
      say(ident, outcome.message);
    }
  }
  return outcome.code;
}

// The waiting parent.
//
//   Waiting ──ready byte──▶ exit 0
//      │ └────end of file──▶ Reaping ──▶ the child's code, or kInternal after a signal
//      └──SIGINT & co.─────▶ Stopping (child gets SIGTERM, later SIGKILL) ──end of file──▶
//                            Reaping ──▶ kInterrupted
class Parent {
 public:
  Parent(pid_t child, UniqueFd from_child, std::string ident)
      : child_(child), from_child_(std::move(from_child)), ident_(std::move(ident)) {
    const sigset_t set = stop_signals();
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  ExitCode wait() {
    SFTPFS_CHECK(bool(signals_));
    const ExitCode code = wait_for_child();
    // One that came with the child's end (Ctrl-C reaches both) must not strike when it is let in
    // again, and turn the exit code into a death.
    while (take_signal()) {
    }
    return code;
  }

 private:
  ExitCode wait_for_child() {
    while (true) {
      std::array<pollfd, 2> fds{};
      fds[0] = {from_child_.get(), POLLIN, 0};
      fds[1] = {signals_.get(), POLLIN, 0};
      const int count = ::poll(fds.data(), fds.size(), stopping_ ? kStopPatienceMs : -1);
      if (count < 0) {
        SFTPFS_CHECK(errno == EINTR);
      } else if (count == 0) {
        ::kill(child_, SIGKILL);
      } else if (fds[0].revents != 0) {
        if (read_ready_byte()) return ExitCode::kOk;
        return reap();
      } else if (fds[1].revents != 0) {
        if (take_signal()) stop_child();
      }
    }
  }

  bool take_signal() const {
    signalfd_siginfo info{};
    return ::read(signals_.get(), &info, sizeof(info)) == sizeof(info);
  }

  bool read_ready_byte() const {
    char byte = 0;
    ssize_t got = -1;
    do {
      got = ::read(from_child_.get(), &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1 && byte == kReadyByte;
  }

  void stop_child() {
    stopping_ = true;
    ::kill(child_, SIGTERM);
  }

  ExitCode reap() const {
    int status = 0;
    pid_t ended = -1;
    do {
      ended = ::waitpid(child_, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (stopping_) return ExitCode::kInterrupted;
    if (ended != child_) {
      say(ident_, fmt::format("cannot learn how the child ended: {}", std::strerror(errno)));
      return ExitCode::kInternal;
    }
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      // Ctrl-C reaches both at once; the shell knows what the user did.
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) return ExitCode::kInterrupted;
      say(ident_, fmt::format("ended by signal {} ({}) before the mount was ready", signal,
                              ::strsignal(signal)));
      return ExitCode::kInternal;
    }
    const int code = WEXITSTATUS(status);
    if (code == 0) {
      say(ident_, "ended before the mount was ready");
      return ExitCode::kInternal;
    }
    return ExitCode{code};
  }

  pid_t child_;
  UniqueFd from_child_;
  std::string ident_;
  UniqueFd signals_;
  bool stopping_ = false;
};

// In the child: to end when the parent does, also when it has already.
bool tie_to_parent(pid_t parent) {
  return ::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && ::getppid() == parent;
}

Status leave_terminal() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail(Error::system(errno, "/dev/null"));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), fd) < 0) return fail(Error::system(errno, "dup2"));
  }
  return {};
}

}  // namespace

Readiness::Readiness(UniqueFd parent) : parent_(std::move(parent)) {}

Status Readiness::ready() {
  SFTPFS_CHECK(!ready_ && std::this_thread::get_id() == owner_);
  if (!parent_) {
    ready_ = true;
    return {};
  }
  if (::setsid() < 0) return fail(Error::system(errno, "setsid"));
  // A daemon must not keep the directory it was started in from being unmounted.
  if (::chdir("/") != 0) return fail(Error::system(errno, "chdir /"));
  const Status left = leave_terminal();
  if (!left) return left;
  ::prctl(PR_SET_PDEATHSIG, 0);
  if (::send(parent_.get(), &kReadyByte, 1, MSG_NOSIGNAL) != 1) {
    return fail(Error::system(errno, "telling the parent"));
  }
  parent_.reset();
  ready_ = true;
  return {};
}

ExitCode run_daemon(bool foreground, const std::string& ident, const DaemonBody& body) {
  if (foreground) {
    Readiness readiness;
    return run_body(ident, body, readiness);
  }
  std::array<int, 2> ends{};
  // A socket rather than a pipe: send() can do without SIGPIPE.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    say(ident, fmt::format("cannot make a socket: {}", std::strerror(errno)));
    return ExitCode::kSystem;
  }
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);

  BlockedSignals blocked;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    say(ident, fmt::format("cannot start a process: {}", std::strerror(errno)));
    return ExitCode::kSystem;
  }
  if (child == 0) {
    from_child.reset();
    if (!tie_to_parent(parent)) return ExitCode::kInterrupted;
    blocked.restore();
    Readiness readiness(std::move(to_parent));
    return run_body(ident, body, readiness);
  }
  to_parent.reset();
  return Parent(child, std::move(from_child), ident).wait();
}

}  // namespace sftpfs::app
