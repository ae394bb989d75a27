// See process.h.
#include "support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "support/test_error.h"

namespace sftpfs::test {

namespace {

UniqueFd memory_file(const char* name) {
  return UniqueFd(must(::memfd_create(name, MFD_CLOEXEC), "memfd_create"));
}

std::string contents_of(int fd) {
  std::string text;
  std::array<char, 16384> chunk;
  off_t offset = 0;
  while (true) {
    const ssize_t count = ::pread(fd, chunk.data(), chunk.size(), offset);
    if (count <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
    offset += count;
  }
}

void write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = must(::write(fd, text.data() + done, text.size() - done), "write");
    done += static_cast<std::size_t>(count);
  }
}

// In the child: gives up everything the user does not have.
bool change_user(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0;
}

void change_environment(const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::size_t equals = change.find('=');
    const std::string name = change.substr(0, equals);
    if (equals == std::string::npos) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), change.substr(equals + 1).c_str(), 1);
    }
  }
}

}  // namespace

std::string Outcome::describe() const {
  std::string text = timed_out     ? "did not end in time"
                     : signal != 0 ? "ended by signal " + std::to_string(signal)
                                   : "exit code " + std::to_string(exit_code);
  text += " after " + std::to_string(elapsed.count()) + " ms";
  if (!output.empty()) text += "\nstdout: " + output;
  if (!errors.empty()) text += "\nstderr: " + errors;
  return text;
}

Process::Process(const Arguments& arguments, const ProcessOptions& options)
    : output_(memory_file("stdout")), errors_(memory_file("stderr")) {
  UniqueFd input;
  if (options.input.empty()) {
    input.reset(must(::open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null"));
  } else {
    input = memory_file("stdin");
    write_all(input.get(), options.input);
    must(::lseek(input.get(), 0, SEEK_SET), "lseek");
  }
  started_ = Deadline::Clock::now();
  const pid_t parent = ::getpid();
  pid_ = must(::fork(), "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kExecFailed);
    become(arguments, options, input.get());
  }
  pidfd_ = open_pidfd(pid_);
  if (!pidfd_) throw_errno("pidfd_open");
}

void Process::become(const Arguments& arguments, const ProcessOptions& options, int input) {
  if (options.own_session) ::setsid();
  ::dup2(input, STDIN_FILENO);
  ::dup2(output_.get(), STDOUT_FILENO);
  ::dup2(errors_.get(), STDERR_FILENO);
  change_environment(options.environment);
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(kExecFailed);
  if (options.user && !change_user(*options.user)) ::_exit(kExecFailed);
  // A change of credentials clears the signal: ask for it again.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  const std::string complaint = arguments[0] + ": " + std::strerror(errno) + "\n";
  (void)!::write(STDERR_FILENO, complaint.data(), complaint.size());
  ::_exit(kExecFailed);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      started_(other.started_),
      outcome_(std::move(other.outcome_)) {}

Process::~Process() {
  if (pid_ > 0 && !outcome_) kill();
}

bool Process::running() const {
  return !outcome_ && !wait_exit(pidfd_.get(), Deadline(std::chrono::milliseconds(0)));
}

void Process::signal(int number) const {
  if (!outcome_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

std::optional<Outcome> Process::wait(const Deadline& deadline) {
  if (outcome_) return outcome_;
  if (!wait_exit(pidfd_.get(), deadline)) return std::nullopt;
  return reap();
}

Outcome Process::kill() {
  signal(SIGKILL);
  if (!outcome_) reap();
  return *outcome_;
}

Outcome Process::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  Outcome outcome;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.output = output();
  outcome.errors = errors();
  outcome.elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - started_);
  outcome_ = outcome;
  return outcome;
}

std::string Process::output() const { return contents_of(output_.get()); }
std::string Process::errors() const { return contents_of(errors_.get()); }

Outcome run(const Arguments& arguments, const ProcessOptions& options,
            std::chrono::milliseconds timeout) {
  Process process(arguments, options);
  if (const auto outcome = process.wait(Deadline(timeout))) return *outcome;
  Outcome outcome = process.kill();
  outcome.timed_out = true;
  return outcome;
}

namespace {

// A forked child that leaves its text in a memfd.
struct TextChild {
  pid_t pid;
  UniqueFd pidfd;
  UniqueFd text;
};

TextChild fork_text_child(const std::function<std::string()>& body, std::optional<uid_t> user) {
  UniqueFd text = memory_file("result");
  const pid_t pid = must(::fork(), "fork");
  if (pid != 0) return {pid, open_pidfd(pid), std::move(text)};
  if (user && !change_user(*user)) ::_exit(kExecFailed);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    write_all(text.get(), body());
  } catch (const TestError& error) {
    const std::string complaint = std::string(error.what()) + "\n";
    (void)!::write(STDERR_FILENO, complaint.data(), complaint.size());
    ::_exit(1);
  }
  ::_exit(0);
}

// Reaps the child; an empty string if it went well.
std::string end_text_child(const TextChild& child, const Deadline& deadline) {
  const bool in_time = wait_exit(child.pidfd.get(), deadline);
  if (!in_time) ::kill(child.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return "a child process did not end in time";
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return "a child process failed, wait status " + std::to_string(status);
}

}  // namespace

std::string run_in_child(const std::function<std::string()>& body, std::optional<uid_t> user,
                         std::chrono::milliseconds timeout) {
  const TextChild child = fork_text_child(body, user);
  const std::string complaint = end_text_child(child, Deadline(timeout));
  if (!complaint.empty()) throw TestError(complaint);
  return contents_of(child.text.get());
}

std::vector<std::string> run_in_children(int count, const std::function<std::string(int)>& body,
                                         std::chrono::milliseconds timeout) {
  std::vector<TextChild> children;
  for (int i = 0; i < count; ++i) {
    children.push_back(fork_text_child([&body, i] { return body(i); }, {}));
  }
  const Deadline deadline(timeout);
  std::vector<std::string> texts;
  std::string complaints;
  for (const TextChild& child : children) {
    complaints += end_text_child(child, deadline);
    texts.push_back(contents_of(child.text.get()));
  }
  if (!complaints.empty()) throw TestError(complaints);
  return texts;
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool wait_exit(int pidfd, const Deadline& deadline) {
  while (true) {
    pollfd fd{pidfd, POLLIN, 0};
    const int ready = ::poll(&fd, 1, deadline.remaining_ms());
    if (ready > 0) return true;
    if (ready == 0 && deadline.passed()) return false;
    if (ready < 0 && errno != EINTR) throw_errno("poll");
  }
}

}  // namespace sftpfs::test
