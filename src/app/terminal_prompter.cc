// See terminal_prompter.h.
#include "app/terminal_prompter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "app/terminal.h"
#include "app/values.h"
#include "base/check.h"

namespace sftpfs::app {
namespace {

constexpr int kQuestionsMax = 3;

}  // namespace

TerminalPrompter::TerminalPrompter(AskpassPolicy askpass, std::string terminal_path)
    : askpass_(std::move(askpass)),
      terminal_path_(std::move(terminal_path)),
      cancelled_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  SFTPFS_CHECK(bool(cancelled_));
}

void TerminalPrompter::cancel() {
  // Never read, so it stays readable for all later questions.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(cancelled_.get(), &one, sizeof(one));
}

// Looked up each time: a daemon loses its terminal when it is ready.
TerminalPrompter::Channel TerminalPrompter::channel() const {
  if (askpass_.use == AskpassUse::kAlways) return Channel::kAskpass;
  if (Terminal::open(terminal_path_)) return Channel::kTerminal;
  return askpass_.use == AskpassUse::kNever ? Channel::kNone : Channel::kAskpass;
}

bool TerminalPrompter::available() const { return channel() != Channel::kNone; }

Result<ssh::Secret> TerminalPrompter::ask_secret(const std::string& prompt) {
  switch (channel()) {
    case Channel::kAskpass:
      return run_askpass(askpass_.program, prompt, AskpassKind::kSecret, cancelled_.get());
    case Channel::kTerminal: {
      Result<Terminal> terminal = Terminal::open(terminal_path_);
      if (!terminal) return fail(terminal.error());
      return terminal->ask(prompt, Echo::kOff, cancelled_.get());
    }
    case Channel::kNone: break;
  }
  return fail(ErrorCode::kUnsupported, "there is no terminal to ask at and no SSH_ASKPASS");
}

Result<bool> TerminalPrompter::confirm(const std::string& prompt) {
  const Channel where = channel();
  if (where == Channel::kNone) {
    return fail(ErrorCode::kUnsupported, "there is no terminal to ask at and no SSH_ASKPASS");
  }
  if (where == Channel::kAskpass) {
    const Result<ssh::Secret> answer =
        run_askpass(askpass_.program, prompt, AskpassKind::kConfirm, cancelled_.get());
    if (!answer) return false;
    return (askpass_.confirms && answer->empty()) || equal_ignoring_case(answer->view(), "yes");
  }
  Result<Terminal> terminal = Terminal::open(terminal_path_);
  if (!terminal) return fail(terminal.error());
  std::string question = prompt;
  for (int i = 0; i < kQuestionsMax; ++i) {
    const Result<ssh::Secret> answer = terminal->ask(question, Echo::kOn, cancelled_.get());
    if (!answer) return fail(answer.error());
    if (equal_ignoring_case(answer->view(), "yes")) return true;
    if (equal_ignoring_case(answer->view(), "no")) return false;
    question = "Please type yes or no: ";
  }
  return false;
}

Result<ssh::Secret> read_password_line(int fd) {
  ssh::Secret line(ssh::Secret::kDefaultCapacity);
  while (true) {
    char c = 0;
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::system(errno, "reading the password"));
    if (got == 0 || c == '\n') break;
    if (!line.append({&c, 1})) {
      return fail(ErrorCode::kInvalid, "password: the first line is too long");
    }
  }
  if (line.empty()) {
    return fail(ErrorCode::kInvalid, "the password is empty (password_stdin, password_file)");
  }
  return line;
}

}  // namespace sftpfs::app
