// Finding processes that no object owns: daemons, and the children of a server.
//
// Threads: every function from any thread.
// Limits:  reads /proc; what it returns may have ended meanwhile.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "support/deadline.h"

namespace sftpfs::test {

// All processes that this one can see, in no order.
std::vector<pid_t> all_processes();
// Those that run, without zombies.
std::vector<pid_t> children_of(pid_t parent);
// `root`'s children and theirs, parents before children; `root` itself not included.
std::vector<pid_t> descendants(pid_t root);
// Processes whose environment holds exactly `entry` ("NAME=value"): a mark that daemons and their
// children inherit.
std::vector<pid_t> processes_with_environment(const std::string& entry);
// Waits until no process has the mark; the last that had it, if the deadline passes.
std::vector<pid_t> wait_environment_gone(const std::string& entry, const Deadline& deadline);
// "pid 17: sshd: root@notty" for messages; zombies say so.
std::string describe_process(pid_t pid);
std::string describe_processes(const std::vector<pid_t>& pids);
// "sftp-server"; empty for a process that is gone.
std::string process_name(pid_t pid);
// As in /proc/PID/stat: 'R', 'S', 'D' ...; '?' for a process that is gone.
char process_state(pid_t pid);
// Whether it is inside the kernel's FUSE client, waiting (told by its kernel stack, which only root
// may see; without root: whether it sleeps at all).
bool waits_for_fuse(pid_t pid);
// Where in the kernel it waits, for messages; empty without root.
std::string kernel_stack(pid_t pid);
// What grows when something leaks; all 0 when the process is gone.
struct ProcessSize {
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  long memory_kib = 0;  // resident
};
ProcessSize process_size(pid_t pid);
// Peak resident memory in KiB, from the kernel's own account; 0 if the process is gone.
long peak_memory_kib(pid_t pid);

// Ends `root` and all its descendants: each is stopped before its children are looked for, so that
// none escapes by forking. Returns when all have ended.
void kill_tree(pid_t root, const Deadline& deadline);

}  // namespace sftpfs::test
