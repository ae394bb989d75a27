// See app/askpass.h.
#include "app/askpass.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "app/terminal_prompter.h"
#include "base/unique_fd.h"
#include "support/temp_dir.h"

namespace sftpfs::app {
namespace {

std::string script(const test::TempDir& dir, const std::string& text) {
  const std::string path = dir.file("askpass");
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  ::chmod(path.c_str(), 0755);
  return path;
}

// Sets or unsets a variable, and puts it back.
class Variable {
 public:
  Variable(std::string name, const char* value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) {
    if (value == nullptr) {
      ::unsetenv(name_.c_str());
    } else {
      ::setenv(name_.c_str(), value, 1);
    }
  }
  std::string name_;
  std::optional<std::string> before_;
};

TEST(Askpass, GetsThePromptAndAnswersWithItsFirstLine) {
  const test::TempDir dir;
  const std::string program = script(dir, "echo \"$1/$SSH_ASKPASS_PROMPT\"; echo second");
  EXPECT_EQ(run_askpass(program, "Password of joe: ", AskpassKind::kSecret, -1).value().view(),
            "Password of joe: /");
  EXPECT_EQ(run_askpass(program, "Sure?", AskpassKind::kConfirm, -1).value().view(),
            "Sure?/confirm");
}

TEST(Askpass, RunsWithTheSignalsOfAnOrdinaryProgramme) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const test::TempDir dir;
  const std::string program = script(dir, "grep SigBlk /proc/self/status");
  const Result<ssh::Secret> answer = run_askpass(program, "", AskpassKind::kSecret, -1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(answer.value().view(), "SigBlk:\t0000000000000000");
}

TEST(Askpass, AFailingProgrammeIsNoAnswer) {
  const test::TempDir dir;
  const std::string program = script(dir, "echo secret; exit 1");
  EXPECT_TRUE(run_askpass(program, "", AskpassKind::kSecret, -1).error().is(ErrorCode::kCancelled));
  EXPECT_FALSE(run_askpass(dir.file("missing"), "", AskpassKind::kSecret, -1));
}

TEST(Askpass, CancellingEndsTheProgramme) {
  const test::TempDir dir;
  const std::string program = script(dir, "exec cat /dev/zero > /dev/null");
  const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
  EXPECT_TRUE(run_askpass(program, "", AskpassKind::kSecret, cancel.get())
                  .error()
                  .is(ErrorCode::kCancelled));
}

TEST(Askpass, TheEnvironmentDecidesAsForSsh) {
  const test::TempDir dir;
  const std::string program = script(dir, "true");
  const Variable askpass("SSH_ASKPASS", program.c_str());
  const Variable wayland("WAYLAND_DISPLAY", nullptr);
  struct Case {
    const char* require;
    const char* display;
    AskpassUse use;
  };
  for (const Case& expected :
       {Case{nullptr, nullptr, AskpassUse::kNever},
        Case{nullptr, ":0", AskpassUse::kWithoutTerminal}, Case{"never", ":0", AskpassUse::kNever},
        Case{"prefer", ":0", AskpassUse::kAlways}, Case{"prefer", nullptr, AskpassUse::kNever},
        Case{"force", nullptr, AskpassUse::kAlways}}) {
    const Variable require("SSH_ASKPASS_REQUIRE", expected.require);
    const Variable display("DISPLAY", expected.display);
    EXPECT_EQ(AskpassPolicy::from_environment().use, expected.use);
    EXPECT_EQ(AskpassPolicy::from_environment().program, program);
  }
  const Variable missing("SSH_ASKPASS", "/nonexistent");
  const Variable force("SSH_ASKPASS_REQUIRE", "force");
  EXPECT_EQ(AskpassPolicy::from_environment().use, AskpassUse::kNever);
}

TEST(Askpass, ThePrompterUsesItWhereThereIsNoTerminal) {
  const test::TempDir dir;
  TerminalPrompter asking({AskpassUse::kWithoutTerminal, script(dir, "echo hunter2")},
                          "/nonexistent");
  EXPECT_TRUE(asking.available());
  EXPECT_EQ(asking.ask_secret("Password: ").value().view(), "hunter2");
}

TEST(Askpass, ConsentIsAnExitCodeOrAYes) {
  const test::TempDir dir;
  struct Case {
    const char* text;
    bool consent;
  };
  for (const Case& expected : {Case{"exit 0", true}, Case{"echo yes", true}, Case{"echo no", false},
                               Case{"exit 1", false}}) {
    SCOPED_TRACE(expected.text);
    TerminalPrompter asking({AskpassUse::kAlways, script(dir, expected.text)}, "/nonexistent");
    EXPECT_EQ(asking.confirm("Sure? ").value(), expected.consent);
  }
}

}  // namespace
}  // namespace sftpfs::app
