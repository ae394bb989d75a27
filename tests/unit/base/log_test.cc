// What reaches standard error, and what does not. Each case runs in a child process (gtest's
// death tests), because the logger belongs to the process.
#include "base/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "base/check.h"

namespace sftpfs {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  ~LogTest() override { log_set_level(LogLevel::kWarning); }
};

template <class F>
[[noreturn]] void run_and_exit(F&& body) {
  std::forward<F>(body)();
  std::_Exit(0);
}

TEST_F(LogTest, WritesLevelIdentAndText) {
  EXPECT_EXIT(run_and_exit([] {
                log_open(LogSink::kStderr, LogLevel::kInfo, "sftpfs-test");
                log_info("mounted {} in {} ms", "host:/data", 12);
              }),
              testing::ExitedWithCode(0), "sftpfs-test info: mounted host:/data in 12 ms\n$");
}

TEST_F(LogTest, KeepsAForgedLineInOneLine) {
  EXPECT_EXIT(run_and_exit([] {
                log_open(LogSink::kStderr, LogLevel::kInfo, "t");
                const std::string name = "x\n12:00:00.000 1 t info: all is well\x1b[2J";
                log_warning("no such file: {}", name);
              }),
              testing::ExitedWithCode(0),
              "^[^\n]*no such file: x\\\\x0a12:00:00.000 1 t info: all is well\\\\x1b\\[2J\n$");
}

TEST_F(LogTest, DoesNotReadBracesInAMessageAsFormat) {
  EXPECT_EXIT(run_and_exit([] {
                log_open(LogSink::kStderr, LogLevel::kInfo, "t");
                log_error("{}", "{} {0} %s %n");
              }),
              testing::ExitedWithCode(0), "error: \\{\\} \\{0\\} %s %n\n$");
}

TEST_F(LogTest, DropsWhatIsBelowTheLevel) {
  EXPECT_EXIT(run_and_exit([] {
                log_open(LogSink::kStderr, LogLevel::kError, "t");
                log_warning("quiet");
                log_set_level(LogLevel::kOff);
                log_error("quieter");
              }),
              testing::ExitedWithCode(0), "^$");
}

TEST_F(LogTest, WritesToStandardErrorBeforeItIsOpened) {
  EXPECT_EXIT(run_and_exit([] { log_error("early"); }), testing::ExitedWithCode(0), "early\n$");
}

TEST_F(LogTest, FollowsTheLastOpen) {
  EXPECT_EXIT(run_and_exit([] {
                log_open(LogSink::kSyslog, LogLevel::kError, "t-syslog");
                log_open(LogSink::kStderr, LogLevel::kError, "t-first");
                log_open(LogSink::kStderr, LogLevel::kInfo, "t-second");
                log_info("hello");
              }),
              testing::ExitedWithCode(0), "^[^\n]*t-second info: hello\n$");
}

TEST_F(LogTest, AnswersWhetherALevelIsOn) {
  log_set_level(LogLevel::kInfo);
  EXPECT_FALSE(log_enabled(LogLevel::kDebug));
  EXPECT_TRUE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
  log_set_level(LogLevel::kOff);
  EXPECT_FALSE(log_enabled(LogLevel::kError));
}

using CheckDeathTest = LogTest;

TEST_F(CheckDeathTest, NamesTheConditionEvenWhenLogsAreOff) {
  const int answer = 41;
  EXPECT_DEATH(
      {
        log_set_level(LogLevel::kOff);
        SFTPFS_CHECK(answer == 42);
      },
      "internal error: answer == 42 does not hold at .*log_test.cc:[0-9]+");
}

TEST_F(CheckDeathTest, LetsATrueConditionPass) {
  int evaluated = 0;
  SFTPFS_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace sftpfs
