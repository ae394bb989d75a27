// See operation_child.h.
#include "fault/operation_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "support/process.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::chrono::seconds kPrepareTimeout{60};
constexpr int kLookAgainMs = 2;
constexpr int kCannotPrepare = 3;

struct Pipe {
  UniqueFd from;
  UniqueFd to;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  must(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

bool read_all(int fd, void* bytes, std::size_t size, const Deadline& deadline) {
  pollfd readable{fd, POLLIN, 0};
  while (::poll(&readable, 1, deadline.remaining_ms()) < 0 && errno == EINTR) {
  }
  // Reports are smaller than what a pipe takes in one piece.
  return readable.revents != 0 && ::read(fd, bytes, size) == static_cast<ssize_t>(size);
}

void set_signals(SignalUse use) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  if (use == SignalUse::kCaught) action.sa_handler = [](int) {};
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

int error_of(long result) { return result < 0 ? errno : 0; }

OperationChild::OperationChild(Operation operation, SignalUse use)
    : operation_(std::move(operation)) {
  Pipe commands = make_pipe();
  Pipe reports = make_pipe();
  pid_ = must(::fork(), "fork");
  if (pid_ == 0) {
    commands.to.reset();
    reports.from.reset();
    be_child(use, commands.from.get(), reports.to.get());
  }
  pidfd_ = open_pidfd(pid_);
  commands_ = std::move(commands.to);
  reports_ = std::move(reports.from);
  reports.to.reset();
  char ready = 0;
  if (read_all(reports_.get(), &ready, sizeof ready, Deadline(kPrepareTimeout))) return;
  // The destructor does not run after this.
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  throw TestError(operation_.name + ": the child could not make ready");
}

void OperationChild::be_child(SignalUse use, int commands, int reports) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_signals(use);
  try {
    if (operation_.prepare) operation_.prepare();
  } catch (const TestError& error) {
    std::fprintf(stderr, "%s: %s\n", operation_.name.c_str(), error.what());
    ::_exit(kCannotPrepare);
  }
  char byte = 1;
  (void)!::write(reports, &byte, sizeof byte);
  if (::read(commands, &byte, sizeof byte) != sizeof byte) ::_exit(kCannotPrepare);
  OperationResult result;
  const auto begin = Deadline::Clock::now();
  result.error = operation_.act();
  result.elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - begin);
  (void)!::write(reports, &result, sizeof result);
  ::_exit(0);
}

OperationChild::~OperationChild() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void OperationChild::go() {
  const char byte = 1;
  must(::write(commands_.get(), &byte, sizeof byte), "write");
}

bool OperationChild::wait_blocked(const Deadline& deadline) const {
  while (!waits_for_fuse(pid_)) {
    if (deadline.passed()) return false;
    if (wait_exit(pidfd_.get(), Deadline(std::chrono::milliseconds(kLookAgainMs)))) return false;
  }
  return true;
}

void OperationChild::signal(int number) const { ::kill(pid_, number); }

bool OperationChild::wait_gone(const Deadline& deadline) const {
  return wait_exit(pidfd_.get(), deadline);
}

std::optional<OperationResult> OperationChild::wait_result(const Deadline& deadline) {
  OperationResult result;
  if (!read_all(reports_.get(), &result, sizeof result, deadline)) return std::nullopt;
  return result;
}

}  // namespace sftpfs::test
