// See askpass_helper.h.
#include "app/askpass_helper.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "app/process_setup.h"
#include "app/terminal.h"
#include "ssh/child_password.h"
#include "ssh/secret.h"

namespace sftpfs::app {
namespace {

// The mount answers at once; it may have ended, or never have been there.
constexpr int kPatienceMs = 10'000;
constexpr int kNoAnswer = 1;

// The answer's line, of which nothing more is read.
Result<ssh::Secret> read_line(int fd) {
  ssh::Secret line(ssh::Secret::kDefaultCapacity);
  while (true) {
    pollfd ready{fd, POLLIN, 0};
    const int polled = ::poll(&ready, 1, kPatienceMs);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return fail(ErrorCode::kTimedOut, "no answer");
    char c = 0;
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(ErrorCode::kConnectionLost, "no answer");
    if (c == '\n') return line;
    if (!line.append({&c, 1})) return fail(ErrorCode::kInvalid, "the answer is too long");
  }
}

Result<ssh::Secret> ask_mount(const char* word, std::string prompt) {
  std::replace(prompt.begin(), prompt.end(), '\n', ' ');
  // Whatever stands there unfinished is another line.
  const std::string question = fmt::format("\n{}{} {}\n", ssh::kAskpassQuestion, word, prompt);
  if (::write(STDERR_FILENO, question.data(), question.size()) !=
      static_cast<ssize_t>(question.size())) {
    return fail(Error::system(errno, "asking the mount"));
  }
  return read_line(STDERR_FILENO);
}

Result<ssh::Secret> ask_terminal(const std::string& prompt) {
  const char* allowed = std::getenv(ssh::kAskpassTerminalVariable);
  if (allowed == nullptr || std::string_view(allowed) != "yes") {
    return fail(ErrorCode::kUnsupported, "nobody to ask");
  }
  Result<Terminal> terminal = Terminal::open();
  if (!terminal) return fail(terminal.error());
  // A question about a host key is answered with a word, which may be seen.
  const bool word = prompt.find("yes/no") != std::string::npos;
  return terminal->ask(prompt, word ? Echo::kOn : Echo::kOff, -1);
}

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

bool called_as_askpass() { return std::getenv(ssh::kAskpassWordVariable) != nullptr; }

int askpass_run(int argc, char** argv) {
  // A secret passes through here.
  if (const Status hardened = harden_process(); !hardened) return kNoAnswer;
  const char* word = std::getenv(ssh::kAskpassWordVariable);
  const std::string prompt = argc > 1 ? argv[1] : "";
  const Result<ssh::Secret> told = ask_mount(word, prompt);
  if (!told) return kNoAnswer;
  const bool answered = !told->empty() && told->view().front() == ssh::kAskpassAnswer;
  if (answered) return print(told->view().substr(1)) && print("\n") ? 0 : kNoAnswer;
  const Result<ssh::Secret> typed = ask_terminal(prompt);
  return typed && print(typed->view()) && print("\n") ? 0 : kNoAnswer;
}

}  // namespace sftpfs::app
