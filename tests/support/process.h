// Processes of a test: started from an argument vector without a shell, watched through a pidfd.
//
// Ownership: a Process is killed and reaped by its destructor. Children also die with the test
//            (PR_SET_PDEATHSIG), except those that made themselves daemons.
// Threads:   one thread per object.
// Limits:    output is kept in memory (a memfd), so a child never blocks on a full pipe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "support/deadline.h"

namespace sftpfs::test {

using Arguments = std::vector<std::string>;

constexpr std::chrono::milliseconds kRunTimeout{120'000};
// Written over the last file descriptor of a child that could not exec.
constexpr int kExecFailed = 127;

struct ProcessOptions {
  std::vector<std::string> environment;  // "NAME=value", added to ours; "NAME" takes it away
  std::string directory;                 // where it starts; empty: where we are
  std::string input;                     // what it reads on standard input
  std::optional<uid_t> user;             // also the group and no supplementary ones; needs root
  bool own_session = false;              // setsid(): no terminal, a process group of its own
};

// How a process ended.
struct Outcome {
  int exit_code = -1;  // -1: a signal ended it, or it did not end in time
  int signal = 0;
  bool timed_out = false;
  std::string output;  // standard output
  std::string errors;  // standard error
  std::chrono::milliseconds elapsed{};

  bool ok() const { return exit_code == 0; }
  // One paragraph for a failure message.
  std::string describe() const;
};

class Process {
 public:
  // Throws TestError when it cannot be started; a programme that does not exist ends with 127.
  explicit Process(const Arguments& arguments, const ProcessOptions& options = {});
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  bool running() const;
  void signal(int number) const;
  // Empty: it did not end in time and goes on.
  std::optional<Outcome> wait(const Deadline& deadline);
  // SIGKILL, then wait.
  Outcome kill();
  std::string output() const;
  std::string errors() const;

 private:
  Outcome reap();
  [[noreturn]] void become(const Arguments& arguments, const ProcessOptions& options, int input);

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_;
  UniqueFd errors_;
  Deadline::Clock::time_point started_;
  std::optional<Outcome> outcome_;
};

// Starts, waits, and kills what has not ended in time.
Outcome run(const Arguments& arguments, const ProcessOptions& options = {},
            std::chrono::milliseconds timeout = kRunTimeout);

// Runs `body` in a forked child, as `user` if given, and returns the text it produced; for what
// must not happen in the test's own process. Throws if the child fails or does not end in time.
std::string run_in_child(const std::function<std::string()>& body, std::optional<uid_t> user = {},
                         std::chrono::milliseconds timeout = kRunTimeout);

// Runs `body` in `count` children at once, each with its number, and returns their texts in order.
std::vector<std::string> run_in_children(int count, const std::function<std::string(int)>& body,
                                         std::chrono::milliseconds timeout = kRunTimeout);

// A pidfd for any process; an empty one when there is no such process.
UniqueFd open_pidfd(pid_t pid);
// Whether `pidfd`'s process ends before the deadline.
bool wait_exit(int pidfd, const Deadline& deadline);

}  // namespace sftpfs::test
