// Promises of ssh/threaded_connector.h.
#include "ssh/threaded_connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "base/clock.h"
#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "ssh/connect.h"

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

TEST_P(ConnectorLibssh2, MakesTwoAttemptsAtATime) {
  const std::size_t begin = server_.log().size();
  ThreadedConnector connector(options_, login_);
  run(connector, 6, nullptr);
  for (const StreamResult& result : results_) EXPECT_TRUE(result) << why(result);
  std::istringstream lines(server_.log().substr(begin));
  std::size_t begun = 0;
  std::size_t accepted = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("Connection from 127.0.0.1") != std::string::npos) ++begun;
    if (line.find("Accepted publickey") != std::string::npos) ++accepted;
    // The log of one connection may be a little behind that of another.
    EXPECT_LE(begun, accepted + ThreadedConnector::kAttemptsAtOnce + 1) << line;
  }
  EXPECT_EQ(begun, 6U);
  EXPECT_EQ(accepted, 6U);
}

TEST_P(ConnectorLibssh2, AFurtherLoginDoesNotAskForTheMethodsAgain) {
  ASSERT_TRUE(ssh::connect(options_, *login_, nullptr, nullptr));
  EXPECT_NE(login_->offered_methods().find("publickey"), std::string::npos);
  // The server's own list would take this one's place.
  const std::string remembered = "publickey,of-another-world";
  login_->set_offered_methods(remembered);
  ASSERT_TRUE(ssh::connect(options_, *login_, nullptr, nullptr));
  EXPECT_EQ(login_->offered_methods(), remembered);
}

TEST_P(ConnectorLibssh2, MethodsThatLeadNowhereAreAskedForAgain) {
  login_->set_offered_methods("hostbased");
  EXPECT_FALSE(ssh::connect(options_, *login_, nullptr, nullptr));
  const StreamResult result = ssh::connect(options_, *login_, nullptr, nullptr);
  EXPECT_TRUE(result) << why(result);
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
