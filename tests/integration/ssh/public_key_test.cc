// Promises about logging in with keys: from files, with passphrases, from an agent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "unit/ssh/scripted_prompter.h"

namespace sftpfs::test {
namespace {

using ssh::Login;
using ssh::ScriptedPrompter;
using ssh::Transport;
using testing::HasSubstr;

constexpr auto kAllTypes = {KeyType::kEd25519, KeyType::kEcdsa, KeyType::kRsa};

ServerOptions with_all_keys(const std::string& passphrase = {}) {
  ServerOptions options;
  options.user_keys = kAllTypes;
  options.passphrase = passphrase;
  return options;
}

// A real ssh-agent with keys of the server's users in it.
class RunningAgent {
 public:
  RunningAgent(const TestServer& server, const std::string& name)
      : socket_(server.file(name)), process_({"ssh-agent", "-D", "-a", socket_}) {
    const Deadline deadline{std::chrono::seconds(20)};
    while (!run({"ssh-add", "-l"}, environment()).output.starts_with("The agent has") &&
           !deadline.passed()) {
      process_.wait(Deadline(std::chrono::milliseconds(5)));
    }
  }
  void add(const std::string& key) const {
    const Outcome added = run({"ssh-add", "-q", key}, environment());
    ASSERT_TRUE(added.ok()) << added.describe();
  }
  const std::string& socket() const { return socket_; }

 private:
  ProcessOptions environment() const {
    ProcessOptions options;
    options.environment = {"SSH_AUTH_SOCK=" + socket_};
    return options;
  }
  std::string socket_;
  Process process_;
};

class Keys : public testing::TestWithParam<Transport> {};
INSTANTIATE_TEST_SUITE_P(Transports, Keys, testing::Values(Transport::kLibssh2, Transport::kSsh),
                         transport_name);

TEST_P(Keys, OfEveryTypeLogIn) {
  const TestServer server(with_all_keys());
  for (const KeyType type : kAllTypes) {
    Login login;
    auto stream = ssh::connect(options_for(server, GetParam(), server.user_key(type)), login,
                               nullptr, nullptr);
    ASSERT_TRUE(stream) << key_type_name(type) << ": " << why(stream);
    const Conversation hello = say_hello(std::move(*stream));
    EXPECT_TRUE(hello.complete) << key_type_name(type) << ": " << hello.describe();
  }
}

TEST_P(Keys, OfEveryTypeLogInThroughAnAgent) {
  const TestServer server(with_all_keys());
  for (const KeyType type : kAllTypes) {
    const RunningAgent agent(server, std::string("agent_") + key_type_name(type));
    agent.add(server.user_key(type));
    ssh::Options options = options_for(server, GetParam(), "");
    options.identities_only = false;
    options.agent_socket = agent.socket();
    Login login;
    auto stream = ssh::connect(options, login, nullptr, nullptr);
    ASSERT_TRUE(stream) << key_type_name(type) << ": " << why(stream);
    const Conversation hello = say_hello(std::move(*stream));
    EXPECT_TRUE(hello.complete) << key_type_name(type) << ": " << hello.describe();
  }
}

TEST_P(Keys, AKeyThatTheServerDoesNotKnowIsNamed) {
  const TestServer server;
  const std::string stranger = server.make_key("stranger");
  ssh::Options options = options_for(server, GetParam(), stranger);
  Login login;
  auto stream = ssh::connect(options, login, nullptr, nullptr);
  const Error error = stream ? *say_hello(std::move(*stream)).error : stream.error();
  EXPECT_THAT(error.message(), testing::ContainsRegex("[Pp]ermission denied"));
  if (GetParam() == Transport::kLibssh2) {
    EXPECT_TRUE(error.is(ErrorCode::kAuthentication));
    EXPECT_THAT(error.message(), HasSubstr(stranger));
    EXPECT_THAT(error.message(), HasSubstr("publickey"));
  }
}

class KeysLibssh2 : public testing::Test {
 protected:
  static Result<std::unique_ptr<runtime::ByteStream>> connect(const ssh::Options& options,
                                                              Login& login,
                                                              ssh::Prompter* prompter) {
    return ssh::connect(options, login, prompter, nullptr);
  }
};

TEST_F(KeysLibssh2, EncryptedKeysAskForTheirPassphraseOnce) {
  const TestServer server(with_all_keys("open sesame"));
  for (const KeyType type : kAllTypes) {
    const ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key(type));
    ScriptedPrompter prompter;
    prompter.secrets = {"open sesame"};
    Login login;
    const auto first = connect(options, login, &prompter);
    ASSERT_TRUE(first) << key_type_name(type) << ": " << why(first);
    EXPECT_EQ(prompter.asked, std::vector<std::string>{"Enter passphrase for key '" +
                                                       server.user_key(type) + "': "});
    EXPECT_TRUE(login.can_clone());
    const auto clone = connect(options, login, nullptr);
    EXPECT_TRUE(clone) << key_type_name(type) << ": " << why(clone);
  }
}

TEST_F(KeysLibssh2, AWrongPassphraseMayBeCorrected) {
  ServerOptions server_options;
  server_options.passphrase = "open sesame";
  const TestServer server(server_options);
  const ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key());
  ScriptedPrompter prompter;
  prompter.secrets = {"wrong", "open sesame"};
  Login login;
  const auto stream = connect(options, login, &prompter);
  EXPECT_TRUE(stream) << why(stream);
  EXPECT_EQ(prompter.asked.size(), 2U);
}

TEST_F(KeysLibssh2, NobodyIsAskedForAKeyThatTheServerDoesNotWant) {
  const TestServer server;
  const std::string stranger = server.make_key("stranger", KeyType::kEd25519, "open sesame");
  ScriptedPrompter prompter;
  Login login;
  EXPECT_FALSE(connect(options_for(server, Transport::kLibssh2, stranger), login, &prompter));
  EXPECT_TRUE(prompter.asked.empty());
}

TEST_F(KeysLibssh2, APassphraseThatNobodyCanGiveIsTheReason) {
  ServerOptions server_options;
  server_options.passphrase = "open sesame";
  const TestServer server(server_options);
  Login login;
  const auto stream =
      connect(options_for(server, Transport::kLibssh2, server.user_key()), login, nullptr);
  ASSERT_FALSE(stream);
  EXPECT_THAT(stream.error().message(), HasSubstr("ssh-add"));
}

TEST_F(KeysLibssh2, APersonWhoGivesUpEndsTheAttempt) {
  ServerOptions server_options;
  server_options.passphrase = "open sesame";
  const TestServer server(server_options);
  ScriptedPrompter prompter;
  Login login;
  const auto stream =
      connect(options_for(server, Transport::kLibssh2, server.user_key()), login, &prompter);
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kCancelled)) << why(stream);
}

TEST_F(KeysLibssh2, AServerMayWantTwoKeys) {
  ServerOptions server_options = with_all_keys();
  server_options.config = {"AuthenticationMethods publickey,publickey"};
  const TestServer server(server_options);
  ssh::Options options = options_for(server, Transport::kLibssh2, server.user_key(KeyType::kEcdsa));
  options.identity_files.push_back(server.user_key(KeyType::kRsa));
  Login login;
  const auto stream = connect(options, login, nullptr);
  EXPECT_TRUE(stream) << why(stream);
  options.identity_files.pop_back();
  Login one_key;
  EXPECT_FALSE(connect(options, one_key, nullptr));
}

TEST_F(KeysLibssh2, AServerThatOnlyTakesSha256StillTakesRsaKeys) {
  ServerOptions server_options = with_all_keys();
  server_options.config = {"PubkeyAcceptedAlgorithms rsa-sha2-256"};
  const TestServer server(server_options);
  Login login;
  const auto stream = connect(
      options_for(server, Transport::kLibssh2, server.user_key(KeyType::kRsa)), login, nullptr);
  EXPECT_TRUE(stream) << why(stream);
}

TEST_F(KeysLibssh2, TheKeyThatWorkedIsOfferedFirstByClones) {
  ServerOptions server_options;
  server_options.config = {"MaxAuthTries 3"};
  const TestServer server(server_options);
  ssh::Options options = options_for(server, Transport::kLibssh2, server.make_key("first"));
  options.identity_files.push_back(server.make_key("second"));
  options.identity_files.push_back(server.user_key());
  Login login;
  const auto first = connect(options, login, nullptr);
  ASSERT_TRUE(first) << why(first);
  options.identity_files.insert(options.identity_files.begin(), server.make_key("third"));
  const auto clone = connect(options, login, nullptr);
  EXPECT_TRUE(clone) << why(clone);
}

TEST_F(KeysLibssh2, TooManyKeysAreExplained) {
  ServerOptions server_options;
  server_options.config = {"MaxAuthTries 2"};
  const TestServer server(server_options);
  ssh::Options options = options_for(server, Transport::kLibssh2, server.make_key("first"));
  options.identity_files.push_back(server.make_key("second"));
  options.identity_files.push_back(server.user_key());
  Login login;
  const auto stream = connect(options, login, nullptr);
  ASSERT_FALSE(stream);
  EXPECT_THAT(stream.error().message(), HasSubstr("Too many authentication failures"));
}

}  // namespace
}  // namespace sftpfs::test
