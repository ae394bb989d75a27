// See app/terminal.h and app/terminal_prompter.h.
#include "app/terminal.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <future>
#include <string>

#include "app/signals.h"
#include "app/terminal_prompter.h"
#include "unit/app/child_process.h"
#include "unit/app/pseudo_terminal.h"

namespace sftpfs::app {
namespace {

constexpr int kNoCancel = -1;

// What came of a question: the answer, or the error's words.
std::string ask(const std::string& path, const std::string& prompt, Echo echo, int cancel_fd) {
  Result<Terminal> terminal = Terminal::open(path);
  if (!terminal) return "open: " + terminal.error().describe();
  const Result<ssh::Secret> answer = terminal->ask(prompt, echo, cancel_fd);
  return answer ? std::string(answer->view()) : "error: " + answer.error().describe();
}

std::future<std::string> asked(const PseudoTerminal& pty, const std::string& prompt, Echo echo,
                               int cancel_fd = kNoCancel) {
  return std::async(std::launch::async, ask, pty.path(), prompt, echo, cancel_fd);
}

TEST(Terminal, PasswordsAreNotShownAndTheEchoComesBack) {
  PseudoTerminal pty;
  std::future<std::string> answer = asked(pty, "Password: ", Echo::kOff);
  pty.screen_until("Password: ");
  EXPECT_FALSE(pty.echoes());
  pty.type("hunter2\n");
  EXPECT_EQ(answer.get(), "hunter2");
  EXPECT_TRUE(pty.echoes());
  EXPECT_EQ(pty.screen_until("\n"), "\r\n");
}

TEST(Terminal, AnswersAreShownWhereNothingIsSecret) {
  PseudoTerminal pty;
  std::future<std::string> answer = asked(pty, "Continue? ", Echo::kOn);
  pty.screen_until("Continue? ");
  EXPECT_TRUE(pty.echoes());
  pty.type("yes\n");
  EXPECT_EQ(answer.get(), "yes");
  EXPECT_NE(pty.screen_until("\n").find("yes"), std::string::npos);
}

TEST(Terminal, WhatAServerWritesCannotControlTheScreen) {
  PseudoTerminal pty;
  std::future<std::string> answer = asked(pty, "\x1b[2Jline\nnext\r: ", Echo::kOff);
  EXPECT_EQ(pty.screen_until(": "), "\\x1b[2Jline\r\nnext\\x0d: ");
  pty.type("\n");
  EXPECT_EQ(answer.get(), "");
}

TEST(Terminal, EndOfFileIsNoAnswer) {
  PseudoTerminal pty;
  std::future<std::string> answer = asked(pty, "Password: ", Echo::kOff);
  pty.screen_until("Password: ");
  pty.type("\x04");
  EXPECT_EQ(answer.get(), "error: no answer");
  EXPECT_TRUE(pty.echoes());
}

TEST(Terminal, CancellingEndsTheQuestionAndTheEchoComesBack) {
  PseudoTerminal pty;
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
  std::future<std::string> answer = asked(pty, "Password: ", Echo::kOff, cancel.get());
  pty.screen_until("Password: ");
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(cancel.get(), &one, sizeof(one)), 8);
  EXPECT_EQ(answer.get(), "error: interrupted");
  EXPECT_TRUE(pty.echoes());
}

TEST(Terminal, WhatIsNoTerminalIsRefused) {
  EXPECT_FALSE(Terminal::open("/dev/null"));
  EXPECT_FALSE(Terminal::open("/nonexistent"));
}

// Makes `pty` the controlling terminal of a new session.
void take_terminal(const PseudoTerminal& pty) {
  ::setsid();
  test::must(::ioctl(pty.programme_fd(), TIOCSCTTY, 0), "TIOCSCTTY");
}

TEST(Terminal, CtrlCEndsTheProgrammeWithTheEchoOn) {
  PseudoTerminal pty;
  ChildProcess child([&pty](const ChildSide&) {
    take_terminal(pty);
    ask("/dev/tty", "Password: ", Echo::kOff, kNoCancel);
    return 0;
  });
  pty.screen_until("Password: ");
  EXPECT_FALSE(pty.echoes());
  pty.type("\x03");
  EXPECT_EQ(child.exit_code(), -SIGINT);
  EXPECT_TRUE(pty.echoes());
}

TEST(Terminal, CtrlCIsLeftToTheProgrammesOwnSignalHandling) {
  PseudoTerminal pty;
  ChildProcess child([&pty](const ChildSide& side) {
    take_terminal(pty);
    const SignalMask mask;
    const SteadyClock clock;
    runtime::Loop loop(clock);
    int seen = 0;
    SignalWatcher watcher(loop, [&seen](int signal) { seen = signal; });
    if (!watcher.start()) return 1;
    side.say(ask("/dev/tty", "Password: ", Echo::kOff, kNoCancel) + "\n");
    loop.run_ready();
    return seen == SIGINT ? 0 : 2;
  });
  pty.screen_until("Password: ");
  pty.type("\x03");
  EXPECT_EQ(child.hear_line(), "error: interrupted");
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_TRUE(pty.echoes());
}

// The shell of a terminal session that runs `job` in the foreground and tells of each stop.
int shell_with_job(const PseudoTerminal& pty, const ChildSide& side,
                   const std::function<int()>& job) {
  take_terminal(pty);
  ::signal(SIGTTOU, SIG_IGN);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::tcsetpgrp(pty.programme_fd(), ::getpid());
    ::signal(SIGTTOU, SIG_DFL);
    ::_exit(job());
  }
  int status = 0;
  while (::waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
    side.say('s');
    side.listen();
    ::kill(-child, SIGCONT);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(Terminal, CtrlZStopsWithTheEchoOnAndAsksAgainAfterwards) {
  PseudoTerminal pty;
  ChildProcess shell([&pty](const ChildSide& side) {
    return shell_with_job(pty, side, [] {
      return ask("/dev/tty", "Password: ", Echo::kOff, kNoCancel) == "late" ? 0 : 1;
    });
  });
  pty.screen_until("Password: ");
  pty.type("\x1a");
  EXPECT_EQ(shell.hear(), 's');
  EXPECT_TRUE(pty.echoes());
  shell.tell('c');
  pty.screen_until("Password: ");
  EXPECT_FALSE(pty.echoes());
  pty.type("late\n");
  EXPECT_EQ(shell.exit_code(), 0);
  EXPECT_TRUE(pty.echoes());
}

TEST(Terminal, NobodyIsAskedFromTheBackground) {
  PseudoTerminal pty;
  ChildProcess shell([&pty](const ChildSide& side) {
    take_terminal(pty);
    const pid_t child = ::fork();
    if (child == 0) {
      ::setpgid(0, 0);
      side.say(ask("/dev/tty", "Password: ", Echo::kOff, kNoCancel) + "\n");
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    return 0;
  });
  EXPECT_EQ(shell.hear_line(), "open: cannot ask: the command runs in the background");
  EXPECT_EQ(shell.exit_code(), 0);
}

AskpassPolicy no_askpass() { return {AskpassUse::kNever, ""}; }

TEST(TerminalPrompter, InsistsOnYesOrNo) {
  PseudoTerminal pty;
  TerminalPrompter prompter(no_askpass(), pty.path());
  EXPECT_TRUE(prompter.available());
  auto answer = std::async(std::launch::async, [&prompter] { return prompter.confirm("Sure? "); });
  pty.screen_until("Sure? ");
  pty.type("well\n");
  pty.screen_until("Please type yes or no: ");
  pty.type("YES\n");
  EXPECT_TRUE(answer.get().value());

  answer = std::async(std::launch::async, [&prompter] { return prompter.confirm("Sure? "); });
  pty.screen_until("Sure? ");
  pty.type("no\n");
  EXPECT_FALSE(answer.get().value());
}

TEST(TerminalPrompter, CancelEndsThisQuestionAndAllLaterOnes) {
  PseudoTerminal pty;
  TerminalPrompter prompter(no_askpass(), pty.path());
  auto answer =
      std::async(std::launch::async, [&prompter] { return prompter.ask_secret("Key: "); });
  pty.screen_until("Key: ");
  prompter.cancel();
  EXPECT_TRUE(answer.get().error().is(ErrorCode::kCancelled));
  EXPECT_TRUE(prompter.ask_secret("Again: ").error().is(ErrorCode::kCancelled));
}

TEST(TerminalPrompter, WithoutTerminalAndAskpassThereIsNobody) {
  TerminalPrompter prompter(no_askpass(), "/nonexistent");
  EXPECT_FALSE(prompter.available());
  EXPECT_TRUE(prompter.ask_secret("Password: ").error().is(ErrorCode::kUnsupported));
  EXPECT_TRUE(prompter.confirm("Sure? ").error().is(ErrorCode::kUnsupported));
}

TEST(PasswordStdin, TakesOneLineAndLeavesTheRest) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.write_end.get(), "pass word\nrest", 14), 14);
  EXPECT_EQ(read_password_line(pipe.read_end.get()).value().view(), "pass word");
  EXPECT_EQ(next_char(pipe.read_end.get()), 'r');
}

TEST(PasswordStdin, NeedsALineOfReasonableLength) {
  Pipe empty;
  empty.write_end.reset();
  EXPECT_FALSE(read_password_line(empty.read_end.get()));

  Pipe without_newline;
  ASSERT_EQ(::write(without_newline.write_end.get(), "pw", 2), 2);
  without_newline.write_end.reset();
  EXPECT_EQ(read_password_line(without_newline.read_end.get()).value().view(), "pw");

  Pipe endless;
  const std::string text(8192, 'x');
  ASSERT_EQ(::write(endless.write_end.get(), text.data(), text.size()), 8192);
  EXPECT_FALSE(read_password_line(endless.read_end.get()));
}

}  // namespace
}  // namespace sftpfs::app
