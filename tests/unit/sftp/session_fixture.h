// SessionTest: a session in simulated time, and a connector that hands out fake connections.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sftp/session.h"
#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {

// Hands out one fake connection per attempt, or the error it is told.
class FakeConnector final : public runtime::Connector {
 public:
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect(
      runtime::Cancel* cancel) override {
    ++attempts;
    if (stalls) {
      const bool notified = co_await stalled.wait(cancel);
      if (!notified) co_return fail(cancel->error());
    }
    if (error) co_return fail(*error);
    ends.push_back(std::make_shared<FarEnd>());
    co_return std::make_unique<FakeStream>(ends.back());
  }
  bool can_clone() const override { return true; }

  int attempts = 0;
  bool stalls = false;
  runtime::WaitList stalled;
  std::optional<Error> error;
  std::vector<std::shared_ptr<FarEnd>> ends;
};

using ReadyResult = std::optional<Result<std::shared_ptr<sftp::Client>>>;

inline runtime::Task<void> ready_into(sftp::Session& session, runtime::Cancel* cancel,
                                      ReadyResult& into) {
  auto result = co_await session.ready(cancel);
  into.emplace(std::move(result));
}

inline runtime::Task<void> shutdown_into(sftp::Session& session, TimePoint deadline, bool& done) {
  co_await session.shutdown(deadline);
  done = true;
}

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : loop(clock), connector(std::make_shared<FakeConnector>()) {
    options.seed = 7;
    session = sftp::Session::create(loop, connector, options);
    session->on_state_change([this](sftp::SessionState state) { states.push_back(state); });
  }
  ~SessionTest() override { close(); }

  void run() { loop.run_ready(); }
  // Advances to the next timer and runs; returns how far that was.
  Duration next_timer() {
    const auto deadline = loop.next_deadline();
    EXPECT_TRUE(deadline.has_value());
    if (!deadline) return {};
    const Duration wait = *deadline - clock.now();
    clock.advance(wait);
    run();
    return wait;
  }
  // The answer lives as long as the test, because a wait may.
  ReadyResult& ask(runtime::Cancel* cancel = nullptr) {
    ReadyResult& into = answers.emplace_back();
    loop.post([this, cancel, &into] { runtime::spawn(ready_into(*session, cancel, into)); });
    run();
    return into;
  }
  void probe() {
    loop.post([this] { session->probe(); });
    run();
  }
  void close() {
    loop.post([this] { session->close(); });
    run();
  }
  // Answers INIT (without limits) on the newest connection.
  void greet() {
    FakeServer server(connector->ends.back());
    run();
    ASSERT_EQ(server.take().size(), 1U);
    server.version(sftp::extension::kLimits);
    run();
  }
  void cut(const std::string& why = "reset") {
    connector->ends.back()->end(Error(ErrorCode::kConnectionLost, why));
    run();
  }
  void connect() {
    ReadyResult& result = ask();
    greet();
    ASSERT_TRUE(result && *result);
  }

  std::deque<ReadyResult> answers;
  ManualClock clock;
  runtime::Loop loop;
  std::shared_ptr<FakeConnector> connector;
  sftp::SessionOptions options;
  std::shared_ptr<sftp::Session> session;
  std::vector<sftp::SessionState> states;
};

}  // namespace sftpfs::test
