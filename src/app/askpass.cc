// See askpass.h.
#include "app/askpass.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace sftpfs::app {
namespace {

constexpr const char* kPromptVariable = "SSH_ASKPASS_PROMPT=";

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

// Ours, but for the variable that says what kind of answer is wanted.
std::vector<char*> child_environment(AskpassKind kind, std::string& confirm_entry) {
  std::vector<char*> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with(kPromptVariable)) entries.push_back(*entry);
  }
  confirm_entry = std::string(kPromptVariable) + "confirm";
  if (kind == AskpassKind::kConfirm) entries.push_back(confirm_entry.data());
  entries.push_back(nullptr);
  return entries;
}

// How to start it: answers into `output`, no input, signals as for a programme of the user's.
class SpawnPlan {
 public:
  explicit SpawnPlan(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int start(const std::string& program, std::string prompt, AskpassKind kind, pid_t& child) {
    std::string path = program;
    std::array<char*, 3> arguments = {path.data(), prompt.data(), nullptr};
    std::string confirm_entry;
    std::vector<char*> environment = child_environment(kind, confirm_entry);
    return ::posix_spawn(&child, path.c_str(), &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// False when cancelled. What does not fit is no password of anybody's.
bool read_answer(int output, int cancel_fd, ssh::Secret& answer) {
  while (answer.size() < answer.capacity()) {
    std::array<pollfd, 2> fds{};
    fds[0] = {cancel_fd, POLLIN, 0};
    fds[1] = {output, POLLIN, 0};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (fds[0].revents != 0) return false;
    const ssize_t got =
        ::read(output, answer.buffer() + answer.size(), answer.capacity() - answer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    answer.set_size(answer.size() + static_cast<std::size_t>(got));
  }
  return true;
}

bool ended_well(pid_t child) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = ::waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

AskpassPolicy AskpassPolicy::from_environment() {
  AskpassPolicy policy;
  const std::string_view program = variable("SSH_ASKPASS");
  if (!program.empty()) policy.program = program;
  const std::string_view require = variable("SSH_ASKPASS_REQUIRE");
  const bool desktop = !variable("DISPLAY").empty() || !variable("WAYLAND_DISPLAY").empty();
  if (require == "never") {
    policy.use = AskpassUse::kNever;
  } else if (require == "force" || (require == "prefer" && desktop)) {
    policy.use = AskpassUse::kAlways;
  } else if (desktop) {
    policy.use = AskpassUse::kWithoutTerminal;
  }
  if (::access(policy.program.c_str(), X_OK) != 0) policy.use = AskpassUse::kNever;
  return policy;
}

AskpassPolicy AskpassPolicy::or_systemd(std::string agent_program) const {
  if (use != AskpassUse::kNever || ::access(agent_program.c_str(), X_OK) != 0) return *this;
  return AskpassPolicy{AskpassUse::kWithoutTerminal, std::move(agent_program), false};
}

Result<ssh::Secret> run_askpass(const std::string& program, const std::string& prompt,
                                AskpassKind kind, int cancel_fd) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Error::system(errno, "pipe"));
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  pid_t child = -1;
  SpawnPlan plan(input.get());
  const int failure = plan.start(program, prompt, kind, child);
  if (failure != 0) return fail(Error::system(failure, program));
  input.reset();

  ssh::Secret answer(ssh::Secret::kDefaultCapacity);
  const bool read = read_answer(output.get(), cancel_fd, answer);
  if (!read) ::kill(child, SIGTERM);
  if (!ended_well(child) || !read) return fail(ErrorCode::kCancelled, "no answer");
  const std::size_t end = answer.view().find_first_of("\r\n");
  if (end != std::string_view::npos) answer.set_size(end);
  return answer;
}

}  // namespace sftpfs::app
