// Promises of ssh/threaded_connector.h.
#include "ssh/threaded_connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace sftpfs::test {
namespace {

using runtime::Cancel;
using runtime::CancelReason;
using ssh::Login;
using ssh::ThreadedConnector;
using ssh::Transport;

using StreamResult = Result<std::unique_ptr<runtime::ByteStream>>;

runtime::Task<void> collect(runtime::Connector& connector, Cancel* cancel,
                            std::vector<StreamResult>& results, std::size_t wanted,
                            runtime::Loop& loop) {
  StreamResult result = co_await connector.connect(cancel);
  results.push_back(std::move(result));
  if (results.size() == wanted) loop.stop();
}

class Connector : public testing::TestWithParam<Transport> {
 protected:
  // Runs the loop until all attempts have ended.
  void run(runtime::Connector& connector, std::size_t attempts, Cancel* cancel) {
    loop_.post([&, attempts, cancel] {
      for (std::size_t i = 0; i < attempts; ++i) {
        runtime::spawn(collect(connector, cancel, results_, attempts, loop_));
      }
    });
    loop_.run();
  }

  TestServer server_;
  std::shared_ptr<Login> login_ = std::make_shared<Login>();
  ssh::Options options_ = options_for(server_, GetParam(), server_.user_key());
  SteadyClock clock_;
  runtime::Loop loop_{clock_};
  std::vector<StreamResult> results_;
};
INSTANTIATE_TEST_SUITE_P(Transports, Connector,
                         testing::Values(Transport::kLibssh2, Transport::kSsh), transport_name);

TEST_P(Connector, ServesEveryoneWhoAsks) {
  ThreadedConnector connector(options_, login_);
  EXPECT_TRUE(connector.can_clone());
  run(connector, 3, nullptr);
  for (StreamResult& result : results_) {
    ASSERT_TRUE(result) << why(result);
    const Conversation hello = say_hello(std::move(*result));
    EXPECT_TRUE(hello.complete) << hello.describe();
  }
}

class ConnectorLibssh2 : public Connector {};
INSTANTIATE_TEST_SUITE_P(Transports, ConnectorLibssh2, testing::Values(Transport::kLibssh2),
                         transport_name);

TEST_P(ConnectorLibssh2, MakesOneAttemptAtATime) {
  std::size_t at = server_.log().size();
  ThreadedConnector connector(options_, login_);
  run(connector, 6, nullptr);
  for (const StreamResult& result : results_) EXPECT_TRUE(result) << why(result);
  // A second connection that came before the first was logged in would stand between its lines.
  const std::string log = server_.log();
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const std::size_t connection = log.find("Connection from 127.0.0.1", at);
    const std::size_t accepted = log.find("Accepted publickey", connection);
    const std::size_t next = log.find("Connection from 127.0.0.1", connection + 1);
    ASSERT_NE(accepted, std::string::npos);
    EXPECT_LT(accepted, next);
    at = accepted;
  }
}

TEST_P(ConnectorLibssh2, ACancelledAttemptEndsAtOnce) {
  ThreadedConnector connector(options_, login_);
  server_.stop();
  const auto cancel = Cancel::create();
  cancel->cancel(CancelReason::kInterrupted);
  run(connector, 2, cancel.get());
  server_.resume();
  for (const StreamResult& result : results_) {
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ErrorCode::kCancelled));
  }
}

TEST_P(ConnectorLibssh2, IsDestroyedPromptlyInTheMiddleOfAnAttempt) {
  auto connector = std::make_unique<ThreadedConnector>(options_, login_);
  server_.stop();
  std::chrono::steady_clock::duration taken{};
  loop_.post([&] {
    for (int i = 0; i < 2; ++i) {
      runtime::spawn(collect(*connector, nullptr, results_, 2, loop_));
    }
    const auto before = std::chrono::steady_clock::now();
    connector.reset();
    taken = std::chrono::steady_clock::now() - before;
  });
  loop_.run();
  server_.resume();
  EXPECT_LT(taken, std::chrono::seconds(2));
  for (const StreamResult& result : results_) EXPECT_FALSE(result);
}

}  // namespace
}  // namespace sftpfs::test
