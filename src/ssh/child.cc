// See child.h.
#include "ssh/child.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace sftpfs::ssh {
namespace {

constexpr int kGraceMs = 2000;
constexpr std::chrono::milliseconds kLookAgainAfter{10};

int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void pidfd_signal(int pidfd, int signal) {
  // It may have ended meanwhile, which is what was wanted.
  [[maybe_unused]] const long rc = ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

// Everything the child needs, laid out before fork(): after it only async-signal-safe calls.
struct Plan {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<std::string> programmes;  // where PATH may have it, in order
  int socket = -1;
  int errors = -1;
  int report = -1;  // takes errno when exec fails
  pid_t parent = 0;
};

std::vector<std::string> candidates(const std::string& programme) {
  if (programme.find('/') != std::string::npos) return {programme};
  const char* path = std::getenv("PATH");
  // Units of systemd may run without any.
  std::string_view rest = path == nullptr || *path == '\0' ? "/usr/bin:/bin:/usr/sbin:/sbin" : path;
  std::vector<std::string> found;
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    if (!directory.empty()) found.push_back(fmt::format("{}/{}", directory, programme));
  }
  return found;
}

void set_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < SIGRTMIN; ++number) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGTSTP}) {
    ::sigaction(number, &action, nullptr);
  }
  // The daemon's threads block what its signal handling takes; the child must not inherit that.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(const Plan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != plan.parent) ::_exit(1);  // the parent died before it could be watched
  set_signals();
  if (::dup2(plan.socket, STDIN_FILENO) >= 0 && ::dup2(plan.socket, STDOUT_FILENO) >= 0 &&
      ::dup2(plan.errors, STDERR_FILENO) >= 0) {
    // A library's descriptor without close-on-exec (/dev/fuse) would keep the mount alive.
    ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    errno = ENOENT;
    bool forbidden = false;
    for (const std::string& programme : plan.programmes) {
      ::execve(programme.c_str(), plan.argv.data(), plan.environment.data());
      // As execvp(3): a directory that one may not search hides nothing in the next.
      forbidden = forbidden || errno == EACCES;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
    }
    if (errno == ENOENT && forbidden) errno = EACCES;
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(plan.report, &error, sizeof(error));
  ::_exit(127);
}

// A descriptor above 2, so that dup2() onto 0..2 cannot hit one that is still needed.
UniqueFd above_standard(int fd) {
  UniqueFd given(fd);
  if (fd < 0 || fd > STDERR_FILENO) return given;
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Ends> socket_ends() {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return fail(Error::system(errno, "socketpair"));
  }
  return Ends{above_standard(fds[0]), above_standard(fds[1])};
}

Result<Ends> pipe_ends() {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(Error::system(errno, "pipe"));
  return Ends{above_standard(fds[0]), above_standard(fds[1])};
}

// Ours, but for what `setup` says.
std::vector<char*> environment_for(const Child::Setup& setup) {
  std::vector<char*> entries;
  for (const std::string& word : setup.environment)
    entries.push_back(const_cast<char*>(word.c_str()));
  const std::size_t given = entries.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    const auto same = [name](const char* other) {
      return std::string_view(other, std::strcspn(other, "=")) == name;
    };
    if (std::none_of(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(given), same)) {
      entries.push_back(*entry);
    }
  }
  entries.push_back(nullptr);
  return entries;
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<Child::Started> Child::start(const std::vector<std::string>& argv) {
  return start(argv, Setup{});
}

Result<Child::Started> Child::start(const std::vector<std::string>& argv, const Setup& setup) {
  Result<Ends> socket = socket_ends();
  Result<Ends> errors = setup.answerable ? socket_ends() : pipe_ends();
  Result<Ends> report = pipe_ends();
  for (const Result<Ends>* ends : {&socket, &errors, &report}) {
    if (!*ends) return fail(ends->error());
  }
  Plan plan;
  for (const std::string& word : argv) plan.argv.push_back(const_cast<char*>(word.c_str()));
  plan.argv.push_back(nullptr);
  plan.environment = environment_for(setup);
  plan.programmes = candidates(argv.front());
  plan.socket = socket->theirs.get();
  plan.errors = errors->theirs.get();
  plan.report = report->theirs.get();
  plan.parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  if (pid < 0) return fail(Error::system(errno, "fork"));
  Child child(pid, UniqueFd(pidfd_open(pid)));
  report->theirs.reset();
  int error = 0;
  // Ends at once: exec closes the other end.
  const ssize_t got = ::read(report->ours.get(), &error, sizeof(error));
  if (got == static_cast<ssize_t>(sizeof(error))) {
    reap(std::exchange(child.pid_, -1));
    return fail(Error::system(error, "cannot start " + argv.front()));
  }
  for (const int fd : {socket->ours.get(), errors->ours.get()}) {
    if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
      return fail(Error::system(errno, "fcntl"));
    }
  }
  return Started{std::move(child), std::move(socket->ours), std::move(errors->ours)};
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      ending_(std::move(other.ending_)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    dismiss();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    ending_ = std::move(other.ending_);
  }
  return *this;
}

std::optional<std::string> Child::ending() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    ending_ = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                  : fmt::format("exit status {}", WEXITSTATUS(status));
  }
  return ending_;
}

Status Child::wait(const Patience& patience) {
  while (!ending()) {
    // The descriptor of a process becomes readable when it ends; where there is none (valgrind) one
    // has to look.
    if (pidfd_) {
      if (Status ended = patience.wait(pidfd_.get(), POLLIN); !ended) return ended;
    } else if (Result<int> waited = patience.poll({}, kLookAgainAfter); !waited) {
      return fail(waited.error());
    }
  }
  return {};
}

void Child::dismiss() {
  if (pid_ <= 0 || ending()) return;
  pidfd_signal(pidfd_.get(), SIGTERM);
  std::thread([pid = std::exchange(pid_, -1), pidfd = std::move(pidfd_)] {
    pollfd ended{pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, kGraceMs) == 0) pidfd_signal(pidfd.get(), SIGKILL);
    reap(pid);
  }).detach();
}

}  // namespace sftpfs::ssh
