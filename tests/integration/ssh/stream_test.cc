// Promises of both streams while bytes flow: order, completeness, rekeying, endings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "support/relay.h"

namespace sftpfs::test {
namespace {

using ssh::Login;
using ssh::Transport;

constexpr std::uint64_t kMiB = 1024 * 1024;

ServerOptions echoing(const std::vector<std::string>& config = {}) {
  ServerOptions options;
  options.sftp_subsystem = "/bin/cat";
  options.config = config;
  options.config.emplace_back(kPlainShell);
  return options;
}

class Streams : public testing::TestWithParam<Transport> {
 protected:
  std::unique_ptr<runtime::ByteStream> open(const ssh::Options& options) {
    auto stream = ssh::connect(options, login_, nullptr, nullptr);
    EXPECT_TRUE(stream) << why(stream);
    return stream ? std::move(*stream) : nullptr;
  }
  Login login_;
};
INSTANTIATE_TEST_SUITE_P(Transports, Streams, testing::Values(Transport::kLibssh2, Transport::kSsh),
                         transport_name);

TEST_P(Streams, CarryBothDirectionsAtOnceThroughManyKeyExchanges) {
  const TestServer server(echoing({"RekeyLimit 1M"}));
  auto stream = open(options_for(server, GetParam(), server.user_key()));
  ASSERT_TRUE(stream);
  // A key exchange of ssh(1) takes most of a second on a small machine; ours are cheaper.
  const std::uint64_t bytes = GetParam() == Transport::kLibssh2 ? 64 * kMiB : 8 * kMiB;
  const Conversation talk = echo(std::move(stream), bytes);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

// A key exchange meets full queues in both directions. SFTPFS_TEST_REKEY_MIB=256 does more of it.
TEST_P(Streams, CarryBothDirectionsThroughKeyExchangesOnANarrowRoad) {
  const TestServer server(echoing({"RekeyLimit 1M"}));
  Relay relay(server.port());
  relay.set_bandwidth(24 * kMiB);
  ssh::Options options = options_for(server, GetParam(), server.user_key());
  options.port = relay.port();
  options.user_known_hosts_files = {server.known_hosts(relay.port())};
  auto stream = open(options);
  ASSERT_TRUE(stream);
  const char* wanted = std::getenv("SFTPFS_TEST_REKEY_MIB");
  const std::uint64_t usual = GetParam() == Transport::kLibssh2 ? 32 : 4;
  const std::uint64_t mib = wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10);
  const Conversation talk = echo(std::move(stream), mib * kMiB);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST_P(Streams, CarryBothDirectionsAtOnce) {
  const TestServer server(echoing());
  auto stream = open(options_for(server, GetParam(), server.user_key()));
  ASSERT_TRUE(stream);
  const Conversation talk = echo(std::move(stream), 64 * kMiB);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST_P(Streams, CarryTheSameWithACompressedConnection) {
  const TestServer server(echoing({"RekeyLimit 1M"}));
  ssh::Options options = options_for(server, GetParam(), server.user_key());
  options.compression = true;
  auto stream = open(options);
  ASSERT_TRUE(stream);
  const Conversation talk = echo(std::move(stream), 4 * kMiB);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST_P(Streams, ALargerWindowChangesNoByte) {
  const TestServer server(echoing());
  for (const std::size_t window : {std::size_t{1}, std::size_t{1} << 30}) {
    auto stream = open(options_for(server, GetParam(), server.user_key()));
    ASSERT_TRUE(stream);
    const Conversation talk = echo(std::move(stream), 24 * kMiB, window);
    EXPECT_TRUE(talk.complete) << window << ": " << talk.describe();
  }
}

TEST_P(Streams, AServerThatGoesAwayEndsTheStream) {
  TestServer server;
  auto stream = open(options_for(server, GetParam(), server.user_key()));
  ASSERT_TRUE(stream);
  const Conversation talk = wait_for_end(std::move(stream), [&server] { server.kill_sessions(); });
  ASSERT_TRUE(talk.error) << talk.describe();
  EXPECT_TRUE(talk.error->is(ErrorCode::kConnectionLost)) << talk.describe();
  EXPECT_FALSE(talk.error->message().empty());
}

TEST_P(Streams, AServerThatStopsInTheMiddleHoldsUpNoDestructor) {
  TestServer server(echoing());
  auto stream = open(options_for(server, GetParam(), server.user_key()));
  ASSERT_TRUE(stream);
  const Conversation talk =
      echo_and_abandon(std::move(stream), 8 * kMiB, [&server] { server.stop(); });
  server.resume();
  EXPECT_TRUE(talk.complete) << talk.describe();
  EXPECT_LT(talk.destroyed_in, std::chrono::seconds(2));
}

TEST_P(Streams, WhatTheServerSaysOnStandardErrorDoesNotDisturb) {
  const TestServer server(echoing());
  ssh::Options options = options_for(server, GetParam(), server.user_key());
  // More than the channel's whole window. (Of a subsystem sshd would not send it.)
  options.sftp_server = "/usr/bin/head -c 3000000 /dev/zero >&2; exec cat";
  auto stream = open(options);
  ASSERT_TRUE(stream);
  const Conversation talk = echo(std::move(stream), kMiB);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

// --- Several streams of one connection
// ------------------------------------------------------------

class Siblings : public testing::Test {
 protected:
  std::unique_ptr<runtime::ByteStream> open(const TestServer& server) {
    auto stream = ssh::connect(options_for(server, Transport::kLibssh2, server.user_key()), login_,
                               nullptr, nullptr);
    EXPECT_TRUE(stream) << why(stream);
    return stream ? std::move(*stream) : nullptr;
  }
  static void expect_complete(const std::vector<Conversation>& talks, std::size_t count) {
    EXPECT_EQ(talks.size(), count);
    for (const Conversation& talk : talks) EXPECT_TRUE(talk.complete) << talk.describe();
  }
  Login login_;
};

TEST_F(Siblings, CarryBothDirectionsAtOnceThoughOneIsDropped) {
  const TestServer server(echoing());
  expect_complete(echo_with_siblings(open(server), 7, 12 * kMiB), 8);
}

TEST_F(Siblings, CarryBothDirectionsAtOnceThroughManyKeyExchanges) {
  const TestServer server(echoing({"RekeyLimit 1M"}));
  expect_complete(echo_with_siblings(open(server), 3, 12 * kMiB), 4);
}

TEST_F(Siblings, AServerThatRefusesThemHarmsNoStream) {
  const TestServer server(echoing({"MaxSessions 2"}));
  std::vector<Conversation> talks = echo_with_siblings(open(server), 7, 4 * kMiB);
  ASSERT_GE(talks.size(), 2U);
  ASSERT_TRUE(talks.back().error);
  EXPECT_TRUE(talks.back().error->is(ErrorCode::kUnsupported)) << talks.back().describe();
  EXPECT_THAT(talks.back().error->message(), testing::HasSubstr("MaxSessions"));
  talks.pop_back();
  expect_complete(talks, talks.size());
}

TEST_F(Siblings, AllLearnThatTheServerHasGoneAway) {
  TestServer server;
  const std::vector<Conversation> talks =
      wait_for_ends(open(server), [&server] { server.kill_sessions(); });
  ASSERT_EQ(talks.size(), 2U);
  for (const Conversation& talk : talks) {
    ASSERT_TRUE(talk.error) << talk.describe();
    EXPECT_TRUE(talk.error->is(ErrorCode::kConnectionLost)) << talk.describe();
  }
}

TEST_F(Siblings, OneConnectionOfSshHasNone) {
  const TestServer server(echoing());
  auto stream = ssh::connect(options_for(server, Transport::kSsh, server.user_key()), login_,
                             nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  EXPECT_FALSE((*stream)->may_have_siblings());
  std::vector<Conversation> talks = echo_with_siblings(std::move(*stream), 1, kMiB);
  ASSERT_EQ(talks.size(), 2U);
  EXPECT_TRUE(talks.front().complete) << talks.front().describe();
  EXPECT_TRUE(talks.back().error->is(ErrorCode::kUnsupported)) << talks.back().describe();
}

}  // namespace
}  // namespace sftpfs::test
