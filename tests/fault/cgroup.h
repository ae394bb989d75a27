// Cgroup: a control group of one test's own, to freeze the processes in it.
//
// Ownership: the object owns the group's directory; the destructor thaws it, and it must be empty
//            of processes by then.
// Threads:   one thread per object.
// Limits:    needs root and a writable version 2 hierarchy; find_hierarchy() says if there is one.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "support/deadline.h"

namespace sftpfs::test {

class Cgroup {
 public:
  // Where groups of version 2 can be made and frozen; empty: nowhere on this machine.
  static std::optional<std::string> find_hierarchy();

  explicit Cgroup(const std::string& hierarchy);
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  void add(pid_t pid);
  void freeze();
  void thaw();
  // Waits until the kernel says that every process in the group stands still.
  bool wait_frozen(const Deadline& deadline) const;

 private:
  std::string path_;
};

}  // namespace sftpfs::test
