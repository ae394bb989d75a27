// See terminal.h.
//
//   Asking ──line──▶ done          the echo is off only in Asking
//     │  ▲ ├─end of file, cancel──▶ cancelled
//     │  │ └─SIGINT & co.──▶ echo on, signal again ──▶ cancelled
//     ▼  │
//   Stopped (SIGTSTP: echo on, stop; when continued: echo off, prompt again)
#include "app/terminal.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <optional>

#include "base/printable.h"

namespace sftpfs::app {
namespace {

// Holds signals back on this thread; they can be read from fd().
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t set;
    ::sigemptyset(&set);
    // SIGTTOU too: tcsetattr() must not stop us half-way.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGTTIN}) {
      ::sigaddset(&set, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &set, &previous_);
    ::sigdelset(&set, SIGTTOU);
    ::sigdelset(&set, SIGTTIN);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  int fd() const { return fd_.get(); }
  // The signal that has come, or 0.
  int take() const {
    signalfd_siginfo info{};
    const ssize_t got = ::read(fd_.get(), &info, sizeof(info));
    return got == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t previous_{};
  UniqueFd fd_;
};

// Stops the process as Ctrl-Z would have, and returns when it goes on.
void stop_here() {
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTSTP);
  ::kill(::getpid(), SIGTSTP);
  ::pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
}

class EchoSwitch {
 public:
  EchoSwitch(int fd, Echo echo) : fd_(fd) {
    if (echo == Echo::kOn || ::tcgetattr(fd_, &previous_) != 0) return;
    termios silent = previous_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK | ECHONL);
    switched_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  ~EchoSwitch() {
    if (switched_) ::tcsetattr(fd_, TCSAFLUSH, &previous_);
  }
  EchoSwitch(const EchoSwitch&) = delete;
  EchoSwitch& operator=(const EchoSwitch&) = delete;

 private:
  int fd_;
  termios previous_{};
  bool switched_ = false;
};

enum class Event { kLine, kEndOfFile, kCancelled, kSignal, kFailed };

// Waits for the next thing to happen; adds what is typed to `line`.
Event await(int terminal, const HeldSignals& signals, int cancel_fd, ssh::Secret& line) {
  while (true) {
    std::array<pollfd, 3> fds{};
    fds[0] = {signals.fd(), POLLIN, 0};
    fds[1] = {cancel_fd, POLLIN, 0};  // poll() skips negative ones
    fds[2] = {terminal, POLLIN, 0};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return Event::kFailed;
    }
    if (fds[0].revents != 0) return Event::kSignal;
    if (fds[1].revents != 0) return Event::kCancelled;

    const std::size_t room = line.capacity() - line.size();
    if (room == 0) return Event::kFailed;
    const ssize_t got = ::read(terminal, line.buffer() + line.size(), room);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Event::kFailed;
    if (got == 0) return Event::kEndOfFile;
    line.set_size(line.size() + static_cast<std::size_t>(got));
    if (line.view().back() == '\n') {
      line.set_size(line.size() - 1);
      return Event::kLine;
    }
  }
}

// Line by line: what a server writes must not move the cursor or colour the screen.
std::string printable_lines(std::string_view text) {
  std::string shown;
  while (true) {
    const std::size_t end = text.find('\n');
    shown += printable(text.substr(0, end));
    if (end == std::string_view::npos) return shown;
    shown.push_back('\n');
    text.remove_prefix(end + 1);
  }
}

}  // namespace

Result<Terminal> Terminal::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!fd) return fail(Error::system(errno, path));
  if (::isatty(fd.get()) != 1) return fail(Error::system(ENOTTY, path));
  const pid_t foreground = ::tcgetpgrp(fd.get());
  if (foreground > 0 && foreground != ::getpgrp()) {
    return fail(ErrorCode::kUnsupported, "cannot ask: the command runs in the background");
  }
  return Terminal(std::move(fd));
}

void Terminal::show(const std::string& text) const {
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), text.data(), text.size());
}

Result<ssh::Secret> Terminal::ask(const std::string& prompt, Echo echo, int cancel_fd) {
  const HeldSignals signals;
  while (true) {
    ssh::Secret line(ssh::Secret::kDefaultCapacity);
    Event event = Event::kFailed;
    {
      const EchoSwitch echo_switch(fd_.get(), echo);
      show(printable_lines(prompt));
      event = await(fd_.get(), signals, cancel_fd, line);
      // The newline that was typed was not shown.
      if (echo == Echo::kOff || event != Event::kLine) show("\n");
    }
    switch (event) {
      case Event::kLine: return line;
      case Event::kFailed: return fail(Error::system(EIO, "reading from the terminal"));
      case Event::kEndOfFile: return fail(ErrorCode::kCancelled, "no answer");
      case Event::kCancelled: return fail(ErrorCode::kCancelled, "interrupted");
      case Event::kSignal: break;
    }
    const int signal = signals.take();
    if (signal == SIGTSTP) {
      stop_here();
    } else if (signal != 0) {
      // Held back until this returns; then its owner gets it.
      ::kill(::getpid(), signal);
      return fail(ErrorCode::kCancelled, "interrupted");
    }
  }
}

}  // namespace sftpfs::app
