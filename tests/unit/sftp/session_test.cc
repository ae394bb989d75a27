// A session: connecting, waiting, losing, backing off, closing; in simulated time.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "unit/sftp/session_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::Session;
using sftp::SessionState;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(SessionTest, ConnectsOnlyWhenAsked) {
  run();
  EXPECT_EQ(session->state(), SessionState::kIdle);
  EXPECT_EQ(connector->attempts, 0);
  connect();
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(session->epoch(), 1U);
  EXPECT_NE(session->current(), nullptr);
  EXPECT_EQ(states, (std::vector<SessionState>{SessionState::kConnecting, SessionState::kReady}));
}

TEST_F(SessionTest, OneAttemptServesAllWhoWait) {
  for (int i = 0; i < 5; ++i) ask();
  EXPECT_EQ(connector->attempts, 1);
  greet();
  for (const ReadyResult& result : answers) {
    ASSERT_TRUE(result && *result);
    EXPECT_EQ(**result, session->current());
  }
  EXPECT_EQ(connector->attempts, 1);
}

TEST_F(SessionTest, ReadyIsImmediateWhenConnected) {
  connect();
  ReadyResult& again = ask();
  ASSERT_TRUE(again && *again);
  EXPECT_EQ(connector->attempts, 1);
}

TEST_F(SessionTest, AdoptTakesOverAConnection) {
  StartResult started;
  auto end = std::make_shared<FarEnd>();
  loop.post(
      [&] { runtime::spawn(start_into(std::make_unique<FakeStream>(end), nullptr, started)); });
  run();
  FakeServer(end).version(sftp::extension::kLimits);
  run();
  ASSERT_TRUE(started && *started);
  session->adopt(std::move(**started));
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(session->epoch(), 1U);
  EXPECT_EQ(connector->attempts, 0);
}

TEST_F(SessionTest, WaitsDoubleUpToTheLongestWithChance) {
  connector->error = Error(ErrorCode::kConnectionLost, "connection refused");
  ReadyResult& result = ask();
  Duration base = milliseconds(200);
  constexpr int kEager = sftp::Backoff::kEagerAttempts;
  for (int i = 0; i < kEager + 10; ++i) {
    EXPECT_EQ(session->state(), SessionState::kBackingOff);
    EXPECT_EQ(connector->attempts, i + 1);
    const Duration wait = next_timer();
    EXPECT_GE(wait, base / 2) << i;
    EXPECT_LE(wait, base) << i;
    base = std::min<Duration>(base * 2, i < kEager ? seconds(2) : seconds(30));
  }
  EXPECT_EQ(base, seconds(30));
  EXPECT_FALSE(result.has_value());
  ASSERT_TRUE(session->last_error().has_value());
  EXPECT_EQ(session->last_error()->message(), "connection refused");
  connector->error.reset();
  next_timer();
  greet();
  EXPECT_TRUE(result && *result);
  EXPECT_FALSE(session->last_error().has_value());
}

TEST_F(SessionTest, TheSameSeedGivesTheSameWaits) {
  sftp::Backoff one(milliseconds(200), seconds(30), 42);
  sftp::Backoff two(milliseconds(200), seconds(30), 42);
  sftp::Backoff other(milliseconds(200), seconds(30), 43);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const Duration wait = one.next();
    EXPECT_EQ(wait, two.next());
    differs = differs || wait != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST_F(SessionTest, AFirstCloneThatFailsIsIdleAgainWhenNobodyWaits) {
  connector->error = Error(ErrorCode::kConnectionLost, "too many connections");
  const auto cancel = runtime::Cancel::create();
  ReadyResult& result = ask(cancel.get());
  EXPECT_EQ(session->state(), SessionState::kBackingOff);
  cancel->cancel(runtime::CancelReason::kInterrupted);
  run();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kCancelled));
  next_timer();
  EXPECT_EQ(session->state(), SessionState::kIdle);
  EXPECT_EQ(connector->attempts, 1);
}

TEST_F(SessionTest, ALostConnectionIsReplacedWithoutAsking) {
  connect();
  clock.advance(seconds(11));
  run();
  cut();
  EXPECT_EQ(session->state(), SessionState::kConnecting);
  EXPECT_EQ(session->current(), nullptr);
  greet();
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(session->epoch(), 2U);
}

TEST_F(SessionTest, AConnectionThatDiesYoungBacksOff) {
  connect();
  cut("kicked out");
  EXPECT_EQ(session->state(), SessionState::kBackingOff);
  EXPECT_EQ(session->last_error()->message(), "kicked out");
  next_timer();
  greet();
  cut();
  // The second wait is longer: surviving the greeting is no success.
  EXPECT_GT(next_timer(), milliseconds(199));
}

TEST_F(SessionTest, ReconnectionGoesOnWithoutWaiters) {
  connect();
  clock.advance(seconds(60));
  run();
  connector->error = Error(ErrorCode::kConnectionLost, "no route to host");
  cut();
  for (int i = 0; i < 5; ++i) next_timer();
  EXPECT_EQ(connector->attempts, 7);
  connector->error.reset();
  next_timer();
  greet();
  EXPECT_EQ(session->state(), SessionState::kReady);
}

TEST_F(SessionTest, AServerThatDoesNotGreetIsGivenUp) {
  ask();
  EXPECT_EQ(session->state(), SessionState::kConnecting);
  clock.advance(options.greeting_timeout);
  run();
  EXPECT_EQ(session->state(), SessionState::kBackingOff);
  EXPECT_TRUE(session->last_error()->is(ErrorCode::kTimedOut));
  EXPECT_FALSE(session->last_error()->message().empty());
  EXPECT_TRUE(connector->ends.back()->released());
}

TEST_F(SessionTest, CancelEndsOnlyOnesOwnWait) {
  const auto cancel = runtime::Cancel::create();
  ReadyResult& mine = ask(cancel.get());
  ReadyResult& other = ask();
  cancel->cancel(runtime::CancelReason::kTimedOut);
  run();
  ASSERT_TRUE(mine.has_value());
  EXPECT_TRUE(mine->error().is(ErrorCode::kTimedOut));
  EXPECT_FALSE(other.has_value());
  greet();
  EXPECT_TRUE(other && *other);
}

TEST_F(SessionTest, CloseEndsWaitersCallsAndTheConnection) {
  connect();
  const std::shared_ptr<sftp::Client> client = session->current();
  auto call = client->lstat("/f");
  run();
  EXPECT_EQ(session->load(), 1U);
  close();
  EXPECT_TRUE(call.take().error().is(ErrorCode::kConnectionLost));
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_EQ(session->current(), nullptr);
  EXPECT_TRUE(connector->ends.back()->released());
  ReadyResult& late = ask();
  ASSERT_TRUE(late.has_value());
  EXPECT_TRUE(late->error().is(ErrorCode::kShutdown));
  EXPECT_FALSE(loop.next_deadline().has_value());
}

TEST_F(SessionTest, CloseEndsAnAttemptUnderWay) {
  connector->stalls = true;
  ReadyResult& result = ask();
  close();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kShutdown));
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_TRUE(connector->stalled.empty());
}

TEST_F(SessionTest, CloseWhileBackingOffStopsTheRetries) {
  connector->error = Error(ErrorCode::kAuthentication, "permission denied");
  ReadyResult& result = ask();
  close();
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(loop.next_deadline().has_value());
}

TEST_F(SessionTest, ShutdownWaitsForTheAnswers) {
  connect();
  auto call = session->current()->lstat("/f");
  bool done = false;
  loop.post([&] { runtime::spawn(shutdown_into(*session, clock.now() + seconds(5), done)); });
  run();
  EXPECT_FALSE(done);
  FakeServer server(connector->ends.back());
  server.attrs(server.take().at(0).id, {});
  run();
  EXPECT_TRUE(call.take());
  EXPECT_TRUE(done);
  EXPECT_EQ(session->state(), SessionState::kClosed);
}

TEST_F(SessionTest, ShutdownEndsAtItsDeadline) {
  connect();
  auto call = session->current()->lstat("/f");
  bool done = false;
  loop.post([&] { runtime::spawn(shutdown_into(*session, clock.now() + seconds(5), done)); });
  run();
  ReadyResult& refused = ask();
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(refused->error().is(ErrorCode::kShutdown));
  clock.advance(seconds(5));
  run();
  EXPECT_TRUE(done);
  EXPECT_TRUE(call.take().error().is(ErrorCode::kConnectionLost));
}

TEST_F(SessionTest, ALossDuringShutdownIsNotHealed) {
  connect();
  clock.advance(seconds(11));
  run();
  auto call = session->current()->lstat("/f");
  bool done = false;
  loop.post([&] { runtime::spawn(shutdown_into(*session, clock.now() + seconds(5), done)); });
  run();
  cut();
  EXPECT_TRUE(done);
  EXPECT_EQ(session->state(), SessionState::kClosed);
  EXPECT_EQ(connector->attempts, 1);
}

}  // namespace
}  // namespace sftpfs::test
