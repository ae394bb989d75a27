// Promises about host keys, end to end: nothing is told to a server that is not the right one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "ssh/key_file.h"
#include "ssh/public_key.h"
#include "unit/ssh/scripted_prompter.h"

namespace sftpfs::test {
namespace {

using ssh::HostKeyPolicy;
using ssh::Login;
using ssh::Transport;
using testing::HasSubstr;
using testing::Not;

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class HostKeys : public testing::TestWithParam<Transport> {
 protected:
  HostKeys() { options_.user_known_hosts_files = {known_}; }

  // The error of the whole attempt, wherever a transport notices it.
  Error failure() {
    auto stream = ssh::connect(options_, login_, nullptr, nullptr);
    if (!stream) return stream.error();
    const Conversation hello = say_hello(std::move(*stream));
    return hello.error.value_or(Error(ErrorCode::kBusy, "it succeeded"));
  }

  TestServer server_;
  const std::string known_ = server_.file("my_known_hosts");
  Login login_;
  ssh::Options options_ = options_for(server_, GetParam(), server_.user_key());
};
INSTANTIATE_TEST_SUITE_P(Transports, HostKeys,
                         testing::Values(Transport::kLibssh2, Transport::kSsh), transport_name);

TEST_P(HostKeys, AnUnknownHostIsRefusedUnderYesBeforeAnyLogin) {
  const Error error = failure();
  EXPECT_THAT(error.message(), HasSubstr("ost key"));
  EXPECT_THAT(server_.log(), Not(HasSubstr("Accepted publickey")));
  EXPECT_EQ(slurp(known_), "");
}

TEST_P(HostKeys, AcceptNewRecordsTheKeyAndThenKnowsIt) {
  options_.host_key_policy = HostKeyPolicy::kAcceptNew;
  auto first = ssh::connect(options_, login_, nullptr, nullptr);
  ASSERT_TRUE(first) << why(first);
  EXPECT_TRUE(say_hello(std::move(*first)).complete);
  EXPECT_THAT(slurp(known_), HasSubstr("[127.0.0.1]:" + std::to_string(server_.port())));
  options_.host_key_policy = HostKeyPolicy::kYes;
  Login second_login;
  auto second = ssh::connect(options_, second_login, nullptr, nullptr);
  ASSERT_TRUE(second) << why(second);
  EXPECT_TRUE(say_hello(std::move(*second)).complete);
}

TEST_P(HostKeys, AChangedKeyIsRefusedAndSaysSo) {
  options_.host_key_policy = HostKeyPolicy::kAcceptNew;
  const std::string other = slurp(server_.make_key("other") + ".pub");
  std::ofstream(known_) << "[127.0.0.1]:" << server_.port() << ' ' << other;
  const Error error = failure();
  EXPECT_THAT(error.message(), HasSubstr("ost key"));
  EXPECT_THAT(error.message(), HasSubstr("changed"));
  EXPECT_THAT(server_.log(), Not(HasSubstr("Accepted publickey")));
}

TEST_P(HostKeys, AnotherKeyAfterAReconnectionIsRefusedUntilTheOldOneIsBack) {
  // The most careless of settings: nothing is recorded, and everything is taken.
  options_.host_key_policy = HostKeyPolicy::kNo;
  options_.user_known_hosts_files = {"/dev/null"};
  EXPECT_EQ(failure().code(), ErrorCode::kBusy);
  const std::string old_key = slurp(server_.host_key());
  server_.kill_all();
  std::ofstream(server_.host_key()) << slurp(server_.make_key("other"));
  server_.start_again();
  const Error error = failure();
  EXPECT_TRUE(error.is(ErrorCode::kHostKey)) << error.describe();
  EXPECT_THAT(error.message(), HasSubstr("host key"));
  EXPECT_THAT(error.message(),
              HasSubstr(ssh::fingerprint(ssh::read_public_key(server_.file("other")))));
  EXPECT_THAT(error.message(), HasSubstr("unmount and mount again if you trust it"));
  EXPECT_THAT(error.message(), Not(HasSubstr("subsystem")));
  server_.kill_all();
  std::ofstream(server_.host_key()) << old_key;
  server_.start_again();
  EXPECT_EQ(failure().code(), ErrorCode::kBusy);
}

class HostKeysLibssh2 : public testing::Test {};

TEST_F(HostKeysLibssh2, TheMessageOfAChangeNamesKeysPlaceAndCure) {
  TestServer server;
  ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key());
  const std::string known = server.file("my_known_hosts");
  const std::string other = server.make_key("other");
  std::ofstream(known) << "# mine\n[127.0.0.1]:" << server.port() << ' ' << slurp(other + ".pub");
  options.user_known_hosts_files = {known};
  Login login;
  const auto stream = ssh::connect(options, login, nullptr, nullptr);
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kHostKey));
  const std::string& text = stream.error().message();
  EXPECT_THAT(text, HasSubstr(ssh::fingerprint(ssh::read_public_key(other))));
  EXPECT_THAT(text, HasSubstr(ssh::fingerprint(ssh::read_public_key(server.host_key()))));
  EXPECT_THAT(text, HasSubstr(known + ":2"));
  EXPECT_THAT(text, HasSubstr("ssh-keygen -R"));
}

TEST_F(HostKeysLibssh2, AsksForTheTypeThatIsKnown) {
  ServerOptions server_options;
  server_options.host_keys = {KeyType::kEd25519, KeyType::kEcdsa};
  const TestServer server(server_options);
  for (const KeyType type : {KeyType::kEd25519, KeyType::kEcdsa}) {
    ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key());
    const std::string known = server.file(std::string("only_") + key_type_name(type));
    std::ofstream(known) << "[127.0.0.1]:" << server.port() << ' '
                         << slurp(server.host_key(type) + ".pub");
    options.user_known_hosts_files = {known};
    Login login;
    const auto stream = ssh::connect(options, login, nullptr, nullptr);
    ASSERT_TRUE(stream) << why(stream);
    EXPECT_EQ(login.pinned_host_key(), ssh::read_public_key(server.host_key(type)));
  }
}

TEST_F(HostKeysLibssh2, AskIsAnsweredByThePerson) {
  const TestServer server;
  ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key());
  options.host_key_policy = HostKeyPolicy::kAsk;
  options.user_known_hosts_files = {server.file("asked")};
  ssh::ScriptedPrompter prompter;
  prompter.confirmations = {false, true};
  Login refused;
  EXPECT_FALSE(ssh::connect(options, refused, &prompter, nullptr));
  Login accepted;
  const auto stream = ssh::connect(options, accepted, &prompter, nullptr);
  EXPECT_TRUE(stream) << why(stream);
  EXPECT_THAT(prompter.asked.at(0),
              HasSubstr(ssh::fingerprint(ssh::read_public_key(server.host_key()))));
}

TEST_F(HostKeysLibssh2, ACloneIsHeldToTheKeyOfTheFirstConnection) {
  ServerOptions server_options;
  server_options.host_keys = {KeyType::kEd25519, KeyType::kEcdsa};
  const TestServer server(server_options);
  const ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key());
  Login login;
  const std::string ecdsa = ssh::read_public_key(server.host_key(KeyType::kEcdsa));
  login.pin_host_key(ecdsa, ssh::HostKeyTrust::kFull);
  const auto same = ssh::connect(options, login, nullptr, nullptr);
  EXPECT_TRUE(same) << why(same);
  Login other;
  other.pin_host_key(ssh::read_public_key(server.make_key("other")), ssh::HostKeyTrust::kFull);
  const auto refused = ssh::connect(options, other, nullptr, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(ErrorCode::kHostKey));
}

}  // namespace
}  // namespace sftpfs::test
