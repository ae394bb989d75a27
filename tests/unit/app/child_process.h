// A forked child of a test that talks to it through two pipes, for what only a whole process can
// show: exit codes, signals, process groups. It, and what it forks, ends when the test does.
//
// Ownership: the destructor kills and reaps the child.
// Threads:   one thread.
// Limits:    messages are single characters; every wait has a deadline.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "support/deadline.h"
#include "support/test_error.h"

namespace sftpfs::app {

constexpr std::chrono::milliseconds kPatience{20'000};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    test::must(::pipe2(ends.data(), O_CLOEXEC), "pipe");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

// The next character, or nothing at end of file. Throws when neither comes in time.
inline std::optional<char> next_char(int fd) {
  const test::Deadline deadline(kPatience);
  pollfd waiting{fd, POLLIN, 0};
  while (::poll(&waiting, 1, deadline.remaining_ms()) <= 0) {
    if (deadline.passed()) throw test::TestError("nothing was heard from the child in time");
  }
  char c = 0;
  if (::read(fd, &c, 1) != 1) return std::nullopt;
  return c;
}

inline std::string all_text(int fd) {
  std::string text;
  while (const std::optional<char> c = next_char(fd)) text.push_back(*c);
  return text;
}

// What the child has in hand. say() and listen() work in its own children too.
class ChildSide {
 public:
  ChildSide(int heard, int said) : heard_(heard), said_(said) {}
  void say(char c) const { [[maybe_unused]] const ssize_t n = ::write(said_, &c, 1); }
  void say(const std::string& text) const {
    for (const char c : text) say(c);
  }
  // Waits for the test's next word; '\0' when the test has gone.
  char listen() const {
    char c = 0;
    return ::read(heard_, &c, 1) == 1 ? c : '\0';
  }

 private:
  int heard_;
  int said_;
};

class ChildProcess {
 public:
  // Runs `body`, with standard error going to errors(), and exits with its result.
  explicit ChildProcess(const std::function<int(const ChildSide&)>& body) {
    pid_ = test::must(::fork(), "fork");
    if (pid_ == 0) {
      ::dup2(errors_.write_end.get(), STDERR_FILENO);
      errors_ = Pipe();
      // Else it would wait for a word from itself.
      to_child_.write_end.reset();
      ::_exit(body(ChildSide(to_child_.read_end.get(), from_child_.write_end.get())));
    }
    to_child_.read_end.reset();
    from_child_.write_end.reset();
    errors_.write_end.reset();
  }
  ~ChildProcess() {
    if (reaped_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void tell(char c) const { test::must(::write(to_child_.write_end.get(), &c, 1), "tell"); }
  // The child's next character; nothing once it and its children have ended.
  std::optional<char> hear() const { return next_char(from_child_.read_end.get()); }
  std::string hear_line() const {
    std::string line;
    while (const std::optional<char> c = hear()) {
      if (*c == '\n') break;
      line.push_back(*c);
    }
    return line;
  }
  std::string errors() const { return all_text(errors_.read_end.get()); }
  bool running() const {
    return ::waitid(P_PID, static_cast<id_t>(pid_), &nothing_, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           nothing_.si_pid == 0;
  }
  // The wait status of the child itself.
  int wait() {
    int status = 0;
    test::must(::waitpid(pid_, &status, 0), "waitpid");
    reaped_ = true;
    return status;
  }
  int exit_code() {
    const int status = wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  Pipe to_child_;
  Pipe from_child_;
  Pipe errors_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  mutable siginfo_t nothing_{};
};

}  // namespace sftpfs::app
