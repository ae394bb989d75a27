// What is mounted in this process's mount namespace.
//
// Threads: every function from any thread.
// Limits:  waits are woken by the kernel (poll on /proc/self/mountinfo), never by a clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "support/deadline.h"

namespace sftpfs::test {

struct MountEntry {
  std::string mount_point;
  std::string type;     // "fuse.sftpfs"
  std::string source;   // "root@127.0.0.1:/srv"
  std::string options;  // per mount and per superblock, joined by a comma
};

std::vector<MountEntry> mounted();
// The topmost mount at exactly `path`.
std::optional<MountEntry> mount_at(const std::string& path);
// Waits until something is (or nothing is any more) mounted at `path`. `stop_fd`, if not -1, ends
// the wait when it becomes readable (a pidfd: the process that was to mount has ended).
bool wait_mounted(const std::string& path, const Deadline& deadline, int stop_fd = -1);
bool wait_unmounted(const std::string& path, const Deadline& deadline);
// Takes down everything at or below `path`, lazily; what is busy goes away with its last user.
void detach_below(const std::string& path);

}  // namespace sftpfs::test
