// OperationChild: a process that makes ready, waits to be told, does one thing, and reports.
//
//   prepare() ──ready──► waits ──go()──► act() ──► result, end
//
// The thing may block for ever in the file system; the test's own process never touches it.
//
// Ownership: owns its child; the destructor kills and reaps it.
// Threads:   one thread per object. Made by fork(): the two functions run in the child.
// Limits:    signals have their default effect in the child, whatever the test was started with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "support/deadline.h"

namespace sftpfs::test {

struct Operation {
  std::string name;
  std::function<void()> prepare;  // while the server is well; throws TestError
  std::function<int()> act;       // 0 or an errno
};

struct OperationResult {
  int error = 0;  // of act()
  std::chrono::milliseconds elapsed{};
};

enum class SignalUse {
  kDefault,  // SIGINT ends the child
  kCaught,   // SIGINT is caught: act() gets EINTR and goes on to report
};

class OperationChild {
 public:
  // Returns when prepare() is done; throws TestError when that fails.
  explicit OperationChild(Operation operation, SignalUse use = SignalUse::kDefault);
  ~OperationChild();
  OperationChild(const OperationChild&) = delete;
  OperationChild& operator=(const OperationChild&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& name() const { return operation_.name; }
  void go();
  // Waits until the child waits inside the file system; false if it does not.
  bool wait_blocked(const Deadline& deadline) const;
  void signal(int number) const;
  // Waits for the end of the process; false if it does not end in time.
  bool wait_gone(const Deadline& deadline) const;
  // What act() reported, if it came back in time.
  std::optional<OperationResult> wait_result(const Deadline& deadline);

 private:
  [[noreturn]] void be_child(SignalUse use, int commands, int reports);

  Operation operation_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd commands_;  // to the child
  UniqueFd reports_;   // from it
};

// The errno of a system call's result: 0 when it went well.
int error_of(long result);

}  // namespace sftpfs::test
