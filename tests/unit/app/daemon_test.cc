// See app/daemon.h. Real processes: the test is the shell that called the command.
#include "app/daemon.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <climits>
#include <string>

#include "unit/app/child_process.h"

namespace sftpfs::app {
namespace {

// Runs `body` as the command would, under run_daemon().
int command(const ChildSide& side,
            const std::function<Outcome(const ChildSide&, Readiness&)>& body) {
  return static_cast<int>(
      run_daemon(false, "sftpfs", [&](Readiness& readiness) { return body(side, readiness); }));
}

std::string link_of(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return target;
}

TEST(Daemon, TheCommandWaitsUntilReadyAndLeavesWithZero) {
  ChildProcess shell([](const ChildSide& side) {
    return command(side, [](const ChildSide& test, Readiness& readiness) {
      test.say('a');
      test.listen();
      if (!readiness.ready()) return Outcome{ExitCode::kInternal, "not ready"};
      test.say('b');
      test.listen();
      return Outcome{};
    });
  });
  EXPECT_EQ(shell.hear(), 'a');
  EXPECT_TRUE(shell.running());
  shell.tell('1');
  EXPECT_EQ(shell.exit_code(), 0);
  // The daemon is still there, and takes its leave when it is told to.
  EXPECT_EQ(shell.hear(), 'b');
  EXPECT_EQ(shell.errors(), "");
  shell.tell('2');
  EXPECT_EQ(shell.hear(), std::nullopt);
}

TEST(Daemon, KeepsTheProcessGroupUntilReadyAndThenLeavesEverything) {
  ChildProcess shell([](const ChildSide& side) {
    return command(side, [group = ::getpgrp()](const ChildSide& test, Readiness& readiness) {
      test.say(::getpgrp() == group && ::getsid(0) != ::getpid() ? 'y' : 'n');
      if (!readiness.ready()) return Outcome{ExitCode::kInternal, "not ready"};
      test.say(::getsid(0) == ::getpid() ? 'y' : 'n');
      test.say(link_of("/proc/self/cwd") + " " + link_of("/proc/self/fd/0") + " " +
               link_of("/proc/self/fd/1") + " " + link_of("/proc/self/fd/2") + "\n");
      test.listen();
      return Outcome{};
    });
  });
  EXPECT_EQ(shell.hear(), 'y');
  EXPECT_EQ(shell.hear(), 'y');
  EXPECT_EQ(shell.hear_line(), "/ /dev/null /dev/null /dev/null");
  EXPECT_EQ(shell.exit_code(), 0);
  shell.tell('.');
  EXPECT_EQ(shell.hear(), std::nullopt);
}

TEST(Daemon, AFailureIsOneLineAndTheExitCodeOfTheCommand) {
  ChildProcess shell([](const ChildSide& side) {
    return command(side, [](const ChildSide&, Readiness&) {
      return Outcome{ExitCode::kMountFailure, "host 'build1' refused the connection"};
    });
  });
  EXPECT_EQ(shell.errors(), "sftpfs: host 'build1' refused the connection\n");
  EXPECT_EQ(shell.exit_code(), 32);
}

TEST(Daemon, AChildKilledBeforeItIsReadyIsAnInternalError) {
  ChildProcess shell([](const ChildSide& side) {
    return command(side, [](const ChildSide&, Readiness&) {
      ::kill(::getpid(), SIGKILL);
      return Outcome{};
    });
  });
  EXPECT_EQ(shell.errors(), "sftpfs: ended by signal 9 (Killed) before the mount was ready\n");
  EXPECT_EQ(shell.exit_code(), 4);
}

TEST(Daemon, EndingWithoutBeingReadyIsNoSuccess) {
  ChildProcess shell([](const ChildSide& side) {
    return command(side, [](const ChildSide&, Readiness&) { return Outcome{}; });
  });
  EXPECT_EQ(shell.errors(), "sftpfs: ended before the mount was ready\n");
  EXPECT_EQ(shell.exit_code(), 4);
}

// A connection under way: says 'a' and waits for a word that never comes.
Outcome connect_for_ever(const ChildSide& test, Readiness&) {
  test.say('a');
  test.listen();
  return Outcome{};
}

TEST(Daemon, StopSignalsWhileConnectingEndBothWithCodeEight) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    SCOPED_TRACE(signal);
    ChildProcess shell([](const ChildSide& side) { return command(side, connect_for_ever); });
    EXPECT_EQ(shell.hear(), 'a');
    ::kill(shell.pid(), signal);
    EXPECT_EQ(shell.exit_code(), 8);
    EXPECT_EQ(shell.hear(), std::nullopt);
    EXPECT_EQ(shell.errors(), "");
  }
}

TEST(Daemon, CtrlCReachesBothAndEndsWithCodeEight) {
  ChildProcess shell([](const ChildSide& side) {
    ::setpgid(0, 0);
    return command(side, connect_for_ever);
  });
  EXPECT_EQ(shell.hear(), 'a');
  ::kill(-shell.pid(), SIGINT);
  EXPECT_EQ(shell.exit_code(), 8);
  EXPECT_EQ(shell.hear(), std::nullopt);
}

TEST(Daemon, TheChildEndsWhenTheCommandIsKilledWhileConnecting) {
  ChildProcess shell([](const ChildSide& side) { return command(side, connect_for_ever); });
  EXPECT_EQ(shell.hear(), 'a');
  ::kill(shell.pid(), SIGKILL);
  EXPECT_EQ(shell.exit_code(), -SIGKILL);
  EXPECT_EQ(shell.hear(), std::nullopt);
}

TEST(Daemon, StopSignalsOfTheCommandDoNotReachAReadyDaemon) {
  ChildProcess shell([](const ChildSide& side) {
    ::setpgid(0, 0);
    return command(side, [](const ChildSide& test, Readiness& readiness) {
      if (!readiness.ready()) return Outcome{ExitCode::kInternal, "not ready"};
      test.say('r');
      test.say(test.listen());
      return Outcome{};
    });
  });
  EXPECT_EQ(shell.hear(), 'r');
  ::kill(-shell.pid(), SIGINT);
  shell.tell('x');
  EXPECT_EQ(shell.hear(), 'x');
  EXPECT_EQ(shell.hear(), std::nullopt);
}

TEST(Daemon, TheForegroundStaysInThisProcess) {
  ChildProcess shell([](const ChildSide& side) {
    const pid_t self = ::getpid();
    return static_cast<int>(run_daemon(true, "sftpfs", [&](Readiness& readiness) {
      side.say(readiness.ready() && readiness.is_ready() ? 'y' : 'n');
      side.say(::getpid() == self && ::getsid(0) != self ? 'y' : 'n');
      return Outcome{ExitCode::kMountFailure, ""};
    }));
  });
  EXPECT_EQ(shell.hear(), 'y');
  EXPECT_EQ(shell.hear(), 'y');
  EXPECT_EQ(shell.exit_code(), 32);
  EXPECT_EQ(shell.errors(), "");
}

}  // namespace
}  // namespace sftpfs::app
