// See process_table.h.
#include "support/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "base/unique_fd.h"
#include "support/process.h"

namespace sftpfs::test {

namespace {

// Empty for a process that is gone; one that goes while it is read is an error to streams.
std::string proc_file(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

struct ProcessState {
  char state = '?';
  pid_t parent = 0;
};

// The command name in /proc/PID/stat may hold anything, so what follows is found from the end.
std::optional<ProcessState> state_of(pid_t pid) {
  const std::string text = proc_file(pid, "stat");
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(end + 1));
  ProcessState result;
  rest >> result.state >> result.parent;
  return result;
}

// Sends SIGSTOP and waits until it has taken effect: a fork() under way is done by then.
void stop_process(pid_t pid, const Deadline& deadline) {
  constexpr std::string_view kStill = "TtZX";
  constexpr int kLookAgainMs = 1;
  ::kill(pid, SIGSTOP);
  const UniqueFd pidfd = open_pidfd(pid);
  while (pidfd && !deadline.passed()) {
    const auto state = state_of(pid);
    if (!state || kStill.find(state->state) != std::string_view::npos) return;
    wait_exit(pidfd.get(), Deadline(std::chrono::milliseconds(kLookAgainMs)));
  }
}

bool alive(pid_t pid) {
  const auto state = state_of(pid);
  return state && state->state != 'Z' && state->state != 'X';
}

long status_kib(pid_t pid, const std::string& name) {
  const std::string status = proc_file(pid, "status");
  const std::size_t line = status.find(name);
  return line == std::string::npos ? 0 : std::stol(status.substr(line + name.size()));
}

// Zero for a directory that is gone.
std::size_t entries_in(const std::string& path) {
  std::size_t count = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

}  // namespace

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (!name.empty() && std::all_of(name.begin(), name.end(), ::isdigit)) {
      pids.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return pids;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const pid_t pid : all_processes()) {
    const auto state = state_of(pid);
    if (state && state->parent == parent && state->state != 'Z') children.push_back(pid);
  }
  return children;
}

std::vector<pid_t> descendants(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> parents;  // child, parent
  for (const pid_t pid : all_processes()) {
    if (const auto state = state_of(pid)) parents.emplace_back(pid, state->parent);
  }
  std::vector<pid_t> found;
  std::vector<pid_t> look_below{root};
  while (!look_below.empty()) {
    const pid_t parent = look_below.back();
    look_below.pop_back();
    for (const auto& [child, its_parent] : parents) {
      if (its_parent != parent) continue;
      found.push_back(child);
      look_below.push_back(child);
    }
  }
  return found;
}

std::vector<pid_t> processes_with_environment(const std::string& entry) {
  std::vector<pid_t> found;
  const std::string wanted = entry + '\0';
  for (const pid_t pid : all_processes()) {
    const std::string environment = '\0' + proc_file(pid, "environ");
    if (environment.find('\0' + wanted) != std::string::npos && alive(pid)) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> wait_environment_gone(const std::string& entry, const Deadline& deadline) {
  while (true) {
    const std::vector<pid_t> found = processes_with_environment(entry);
    if (found.empty() || deadline.passed()) return found;
    const UniqueFd pidfd = open_pidfd(found.front());
    if (pidfd) wait_exit(pidfd.get(), deadline);
  }
}

std::string describe_process(pid_t pid) {
  std::string command = proc_file(pid, "cmdline");
  std::replace(command.begin(), command.end(), '\0', ' ');
  const auto state = state_of(pid);
  const std::string name = command.empty() ? proc_file(pid, "comm") : command;
  return "pid " + std::to_string(pid) + (state && state->state == 'Z' ? " (zombie)" : "") + ": " +
         name;
}

std::string describe_processes(const std::vector<pid_t>& pids) {
  std::string text;
  for (const pid_t pid : pids) text += "\n  " + describe_process(pid);
  return text;
}

std::string process_name(pid_t pid) {
  const std::string name = proc_file(pid, "comm");
  return name.substr(0, name.find('\n'));
}

char process_state(pid_t pid) {
  const auto state = state_of(pid);
  return state ? state->state : '?';
}

bool waits_for_fuse(pid_t pid) {
  const char state = process_state(pid);
  if (state != 'S' && state != 'D') return false;
  // A page that is being read is waited for in the page cache, with no word of who reads it.
  const std::string stack = proc_file(pid, "stack");
  return ::geteuid() != 0 || stack.find("fuse") != std::string::npos ||
         stack.find("folio_wait") != std::string::npos;
}

std::string kernel_stack(pid_t pid) { return proc_file(pid, "stack"); }

ProcessSize process_size(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid);
  ProcessSize size;
  size.descriptors = entries_in(path + "/fd");
  size.threads = entries_in(path + "/task");
  size.memory_kib = status_kib(pid, "VmRSS:");
  return size;
}

long peak_memory_kib(pid_t pid) { return status_kib(pid, "VmHWM:"); }

void kill_tree(pid_t root, const Deadline& deadline) {
  std::set<pid_t> stopped;
  stop_process(root, deadline);
  // Children of what stands still cannot increase: when a look finds no new one, all are known.
  for (bool found_new = true; found_new;) {
    found_new = false;
    for (const pid_t pid : descendants(root)) {
      if (!stopped.insert(pid).second) continue;
      found_new = true;
      stop_process(pid, deadline);
    }
  }
  stopped.insert(root);
  std::vector<UniqueFd> ended;
  for (const pid_t pid : stopped) {
    ended.push_back(open_pidfd(pid));
    ::kill(pid, SIGKILL);
  }
  for (const UniqueFd& pidfd : ended) {
    if (pidfd) wait_exit(pidfd.get(), deadline);
  }
}

}  // namespace sftpfs::test
