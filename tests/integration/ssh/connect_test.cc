// Promises of ssh::connect() about names, ports, time and what is left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <thread>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "support/net.h"

namespace sftpfs::test {
namespace {

using ssh::Login;
using ssh::Transport;
using testing::HasSubstr;

// For what can only be looked at again and again.
constexpr int kLookAgainMs = 5;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(entries, {}));
}

class Connect : public testing::TestWithParam<Transport> {
 protected:
  static ServerOptions server_options() {
    ServerOptions options;
    options.config = {kPlainShell};
    return options;
  }

  TestServer server_{server_options()};
  Login login_;
  ssh::Options options_ = options_for(server_, GetParam(), server_.user_key());
};
INSTANTIATE_TEST_SUITE_P(Transports, Connect, testing::Values(Transport::kLibssh2, Transport::kSsh),
                         transport_name);

TEST_P(Connect, ReachesTheSftpSubsystem) {
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  EXPECT_THAT((*stream)->description(), HasSubstr(server_.user() + "@127.0.0.1"));
  const Conversation hello = say_hello(std::move(*stream));
  EXPECT_TRUE(hello.complete) << hello.describe();
}

TEST_P(Connect, RunsACommandInsteadOfTheSubsystem) {
  options_.sftp_server = "/usr/lib/openssh/sftp-server -e";
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  const Conversation hello = say_hello(std::move(*stream));
  EXPECT_TRUE(hello.complete) << hello.describe();
}

TEST_P(Connect, LeavesNoDescriptorAndNoProcess) {
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    auto stream = ssh::connect(options_, login_, nullptr, nullptr);
    ASSERT_TRUE(stream) << why(stream);
    const Conversation hello = say_hello(std::move(*stream));
    EXPECT_TRUE(hello.complete) << hello.describe();
    ASSERT_TRUE(server_.wait_session_count(0, Deadline(std::chrono::seconds(20))));
    const Deadline deadline{std::chrono::seconds(20)};
    while (open_descriptors() != before && !deadline.passed()) {
      ::poll(nullptr, 0, deadline.slice_ms(kLookAgainMs));
    }
    EXPECT_EQ(open_descriptors(), before);
  }
}

TEST_P(Connect, APortThatNobodyListensOnIsNamed) {
  options_.port = free_loopback_port();
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  const Error error = stream ? *say_hello(std::move(*stream)).error : stream.error();
  EXPECT_FALSE(error.is(ErrorCode::kAuthentication) || error.is(ErrorCode::kHostKey));
  EXPECT_THAT(error.message(), HasSubstr("refused"));
  EXPECT_THAT(error.message(), HasSubstr(std::to_string(options_.port)));
}

TEST_P(Connect, AHostThatDoesNotExistIsNamed) {
  options_.host = "no-such-host.invalid";
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  const Error error = stream ? *say_hello(std::move(*stream)).error : stream.error();
  EXPECT_THAT(error.message(), HasSubstr("no-such-host.invalid"));
}

TEST_P(Connect, ASubsystemThatIsSwitchedOffIsAnError) {
  options_.sftp_server = "no-such-subsystem";
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  const Error error = stream ? *say_hello(std::move(*stream)).error : stream.error();
  EXPECT_THAT(error.message(), HasSubstr("subsystem"));
}

TEST_P(Connect, AStoppedServerHoldsUpNoDestructor) {
  auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  server_.stop();
  const auto before = std::chrono::steady_clock::now();
  stream->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
  server_.resume();
}

class ConnectLibssh2 : public testing::Test {
 protected:
  TestServer server_;
  Login login_;
  ssh::Options options_ = options_for(server_, Transport::kLibssh2, server_.user_key());
};

TEST_F(ConnectLibssh2, AServerThatDoesNotAnswerIsGivenUpInTime) {
  server_.stop();
  options_.connect_timeout = std::chrono::seconds(1);
  const auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  server_.resume();
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kTimedOut)) << why(stream);
}

TEST_F(ConnectLibssh2, AnInterruptEndsAnAttempt) {
  server_.stop();
  ssh::Interrupt interrupt;
  std::thread other([&interrupt] { interrupt.raise(); });
  const auto stream = ssh::connect(options_, login_, nullptr, &interrupt);
  other.join();
  server_.resume();
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kCancelled)) << why(stream);
}

TEST_F(ConnectLibssh2, ResolvesNamesOfBothFamilies) {
  options_.host = "localhost";
  options_.host_key_policy = ssh::HostKeyPolicy::kAcceptNew;
  options_.user_known_hosts_files = {server_.file("recorded")};
  const auto stream = ssh::connect(options_, login_, nullptr, nullptr);
  EXPECT_TRUE(stream) << why(stream);
}

}  // namespace
}  // namespace sftpfs::test
