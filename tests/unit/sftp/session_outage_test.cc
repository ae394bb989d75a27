// A session's outages: who starts an attempt and when, what a suspend does, what the log says.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/log.h"
#include "unit/sftp/session_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::SessionState;
using std::chrono::seconds;

TEST_F(SessionTest, NewDemandNeitherHurriesNorDoublesAnAttempt) {
  connector->error = Error(ErrorCode::kConnectionLost, "connection refused");
  ask();
  const auto due = loop.next_deadline();
  for (int i = 0; i < 10; ++i) ask();
  EXPECT_EQ(connector->attempts, 1);
  EXPECT_EQ(loop.next_deadline(), due);
  connector->error.reset();
  connector->stalls = true;
  next_timer();
  for (int i = 0; i < 10; ++i) ask();
  EXPECT_EQ(connector->attempts, 2);
}

TEST_F(SessionTest, AfterASuspendWhoWaitsConnectsAtOnce) {
  connector->error = Error(ErrorCode::kConnectionLost, "no route to host");
  ReadyResult& result = ask();
  for (int i = 0; i < 20; ++i) next_timer();
  const int attempts = connector->attempts;
  probe();
  EXPECT_EQ(connector->attempts, attempts + 1);
  // The back-off starts from the beginning.
  EXPECT_LE(next_timer(), options.backoff_first);
  connector->error.reset();
  probe();
  greet();
  EXPECT_TRUE(result && *result);
}

TEST_F(SessionTest, AfterASuspendAnAttemptUnderWayBeginsAnew) {
  connector->stalls = true;
  ReadyResult& result = ask();
  EXPECT_EQ(connector->attempts, 1);
  connector->stalls = false;
  probe();
  EXPECT_EQ(connector->attempts, 2);
  EXPECT_TRUE(connector->stalled.empty());
  EXPECT_EQ(connector->ends.size(), 1U);
  greet();
  EXPECT_TRUE(result && *result);
  EXPECT_EQ(session->epoch(), 1U);
}

TEST_F(SessionTest, AfterASuspendADeadConnectionIsReplacedWithinASecond) {
  connect();
  const auto call = session->current()->lstat("/f");
  clock.advance(std::chrono::hours(8));
  probe();
  const TimePoint resumed = clock.now();
  clock.advance(seconds(1));
  run();
  EXPECT_TRUE(call.done());
  EXPECT_EQ(session->state(), SessionState::kConnecting);
  EXPECT_EQ(clock.now() - resumed, seconds(1));
  EXPECT_EQ(connector->attempts, 2);
}

TEST_F(SessionTest, AfterASuspendAnAnsweringConnectionStays) {
  connect();
  clock.advance(std::chrono::hours(8));
  probe();
  FakeServer server(connector->ends.back());
  for (const Received& received : server.take()) server.names(received.id, {"/"});
  run();
  clock.advance(seconds(2));
  run();
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(session->epoch(), 1U);
}

TEST_F(SessionTest, ProbingWakesNeitherTheIdleNorTheDead) {
  probe();
  EXPECT_EQ(session->state(), SessionState::kIdle);
  close();
  probe();
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_EQ(connector->attempts, 0);
}

TEST_F(SessionTest, ABlackHoleIsNoticedInThreeIntervals) {
  connect();
  connector->ends.back()->set_room(0);
  const auto write = session->current()->write(
      "h", 0, SharedBytes::copy_of(as_byte_span(std::string(1 << 20, 'w'))));
  const TimePoint cut_at = clock.now();
  while (!write.done() && clock.now() - cut_at < std::chrono::minutes(10)) next_timer();
  EXPECT_LE(clock.now() - cut_at, 3 * options.ping_interval);
  EXPECT_EQ(session->state(), SessionState::kConnecting);
}

// How often `text` stands in `log`.
std::size_t count(const std::string& log, const std::string& text) {
  std::size_t found = 0;
  for (std::size_t at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++found;
  return found;
}

class SessionLogTest : public SessionTest {
 protected:
  SessionLogTest() {
    testing::internal::CaptureStderr();
    log_open(LogSink::kStderr, LogLevel::kInfo, "test");
  }
  ~SessionLogTest() override {
    close();
    log_set_level(LogLevel::kWarning);
    testing::internal::GetCapturedStderr();
  }
  // What was logged since the last time.
  std::string log() {
    std::string text = testing::internal::GetCapturedStderr();
    testing::internal::CaptureStderr();
    return text;
  }
};

TEST_F(SessionLogTest, HasOneLineForEachTransitionOfAnOutage) {
  connect();
  clock.advance(seconds(60));
  run();
  EXPECT_EQ(count(log(), "connected to user@fake"), 1U);
  connector->error = Error(ErrorCode::kConnectionLost, "no route to host");
  cut("connection reset by peer");
  const TimePoint lost = clock.now();
  for (int i = 0; i < 100; ++i) {
    connector->error = Error(ErrorCode::kConnectionLost, "refused, attempt " + std::to_string(i));
    ask();
    next_timer();
  }
  const std::string outage = log();
  EXPECT_EQ(count(outage, "\n"), 2U) << outage;
  EXPECT_EQ(count(outage, "connection lost after 60.0 s: connection reset by peer"), 1U) << outage;
  EXPECT_EQ(count(outage, "no connection, waiting and trying again until there is one: "), 1U);
  connector->error.reset();
  next_timer();
  greet();
  const std::string back = log();
  EXPECT_EQ(count(back, "\n"), 1U) << back;
  const double outage_s = std::chrono::duration<double>(clock.now() - lost).count();
  EXPECT_EQ(count(back, fmt::format("connected again to user@fake after {:.1f} s", outage_s)), 1U)
      << back;
}

TEST_F(SessionLogTest, WhatOnlyTheUserCanHealIsAnErrorAndSaidOnce) {
  connect();
  cut();
  log();
  connector->error = Error(ErrorCode::kConnectionLost, "no route to host");
  next_timer();
  const Error changed(ErrorCode::kHostKey, "it has another one");
  for (int i = 0; i < 20; ++i) {
    connector->error = i % 2 == 0 ? changed : Error(ErrorCode::kConnectionLost, "reset");
    next_timer();
  }
  const std::string text = log();
  EXPECT_EQ(count(text, "\n"), 2U) << text;
  EXPECT_EQ(count(text, "error: session: no connection"), 1U) << text;
  EXPECT_EQ(count(text, "it has another one"), 1U) << text;
  connector->error.reset();
  next_timer();
  greet();
  EXPECT_EQ(session->state(), SessionState::kReady);
}

}  // namespace
}  // namespace sftpfs::test
