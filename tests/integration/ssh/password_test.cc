// Promises about passwords and questions; the accounts are faked inside the private sshd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "ssh/child_password.h"
#include "unit/ssh/scripted_prompter.h"

namespace sftpfs::test {
namespace {

using ssh::Login;
using ssh::ScriptedPrompter;
using ssh::Transport;
using testing::HasSubstr;
using testing::StartsWith;

ServerOptions with(const FakeAccounts& accounts, const std::vector<std::string>& more = {}) {
  ServerOptions options;
  options.config = accounts.config();
  options.config.insert(options.config.end(), more.begin(), more.end());
  return options;
}

class Passwords : public testing::Test {
 protected:
  Result<std::unique_ptr<runtime::ByteStream>> connect(const TestServer& server,
                                                       ssh::Prompter* prompter,
                                                       const std::string& key = {}) {
    return ssh::connect(options_for(server, Transport::kLibssh2, key), login_, prompter, nullptr);
  }
  Login login_;
  ScriptedPrompter prompter_;
};

TEST_F(Passwords, AreAskedForOnceAndServeClones) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  prompter_.secrets = {"hunter2"};
  const auto first = connect(server, &prompter_);
  ASSERT_TRUE(first) << why(first);
  EXPECT_EQ(prompter_.asked, std::vector<std::string>{server.user() + "@127.0.0.1's password: "});
  EXPECT_TRUE(login_.can_clone());
  const auto clone = connect(server, nullptr);
  EXPECT_TRUE(clone) << why(clone);
}

TEST_F(Passwords, MayBeCorrected) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  prompter_.secrets = {"wrong", "hunter2"};
  const auto stream = connect(server, &prompter_);
  EXPECT_TRUE(stream) << why(stream);
  EXPECT_EQ(prompter_.asked.size(), 2U);
}

TEST_F(Passwords, ThatAreWrongToTheEndAreRefused) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  prompter_.secrets = {"a", "b", "c", "d", "e"};
  const auto stream = connect(server, &prompter_);
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kAuthentication)) << why(stream);
  EXPECT_EQ(prompter_.asked.size(), 3U);
  EXPECT_EQ(stream.error().message().find("\"a\""), std::string::npos);
}

TEST_F(Passwords, ThatNobodyCanGiveAreTheReason) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  const auto stream = connect(server, nullptr);
  ASSERT_FALSE(stream);
  EXPECT_THAT(stream.error().message(), HasSubstr("password: nobody can be asked"));
}

TEST_F(Passwords, FollowAKeyWhereTheServerWantsBoth) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts, {"AuthenticationMethods publickey,password"}));
  prompter_.secrets = {"hunter2"};
  const auto stream = connect(server, &prompter_, server.user_key());
  ASSERT_TRUE(stream) << why(stream);
  const auto clone = connect(server, nullptr, server.user_key());
  EXPECT_TRUE(clone) << why(clone);
}

TEST_F(Passwords, AreNotToldToAServerWithAChangedKey) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  ssh::Options options = options_for(server, Transport::kLibssh2, "");
  std::ifstream other(server.make_key("other") + ".pub");
  const std::string known = server.file("my_known_hosts");
  std::ofstream(known) << "[127.0.0.1]:" << server.port() << ' ' << other.rdbuf();
  options.user_known_hosts_files = {known};
  options.host_key_policy = ssh::HostKeyPolicy::kNo;
  prompter_.secrets = {"hunter2"};
  const auto stream = ssh::connect(options, login_, &prompter_, nullptr);
  ASSERT_FALSE(stream);
  EXPECT_THAT(stream.error().message(), HasSubstr("changed host key"));
  EXPECT_TRUE(prompter_.asked.empty());
}

TEST_F(Passwords, AskedAsAQuestionServeClonesToo) {
  const FakeAccounts accounts("unused", "Password: =hunter2");
  const TestServer server(with(accounts));
  prompter_.secrets = {"hunter2"};
  const auto first = connect(server, &prompter_);
  ASSERT_TRUE(first) << why(first) << server.log();
  EXPECT_THAT(prompter_.asked.at(0), StartsWith("(" + server.user() + "@127.0.0.1:"));
  EXPECT_TRUE(login_.can_clone());
  const auto clone = connect(server, nullptr);
  EXPECT_TRUE(clone) << why(clone);
}

TEST_F(Passwords, WithAOneTimeCodeAllowNoClones) {
  const FakeAccounts accounts("unused", "Password: =hunter2;Verification code: =424242");
  const TestServer server(with(accounts));
  prompter_.secrets = {"hunter2", "424242"};
  const auto first = connect(server, &prompter_);
  ASSERT_TRUE(first) << why(first) << server.log();
  EXPECT_EQ(prompter_.asked.size(), 2U);
  EXPECT_FALSE(login_.can_clone());
}

TEST_F(Passwords, AnsweredWronglyAreAskedAgain) {
  const FakeAccounts accounts("unused", "Password: =hunter2");
  const TestServer server(with(accounts));
  prompter_.secrets = {"wrong", "hunter2"};
  const auto stream = connect(server, &prompter_);
  EXPECT_TRUE(stream) << why(stream);
}

TEST_F(Passwords, APersonWhoGivesUpEndsTheAttempt) {
  const FakeAccounts accounts("unused", "Password: =hunter2");
  const TestServer server(with(accounts));
  const auto stream = connect(server, &prompter_);
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kCancelled)) << why(stream);
}

// --- The same through ssh(1), which asks sftpfs as its askpass programme
// --------------------------

class ChildPasswords : public Passwords {
 protected:
  Conversation talk(const TestServer& server, const std::string& password) {
    ssh::Options options = options_for(server, Transport::kSsh, "");
    options.own_program = SFTPFS_PROGRAM;
    Login login;
    login.keep_password(ssh::Secret::copy_of(password));
    auto stream = ssh::connect(options, login, nullptr, nullptr);
    EXPECT_TRUE(stream) << why(stream);
    if (!stream) return {};
    return say_hello(std::move(*stream));
  }
};

TEST_F(ChildPasswords, ThatWereGivenReachSsh) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts));
  const Conversation said = talk(server, "hunter2");
  EXPECT_TRUE(said.complete) << said.describe() << server.log();
}

TEST_F(ChildPasswords, AnswerAQuestionForOneToo) {
  const FakeAccounts accounts("unused", "Password: =hunter2");
  const TestServer server(with(accounts));
  const Conversation said = talk(server, "hunter2");
  EXPECT_TRUE(said.complete) << said.describe() << server.log();
}

TEST_F(ChildPasswords, ThatAreWrongAreGivenOnce) {
  const FakeAccounts accounts("hunter2");
  const TestServer server(with(accounts, {"LogLevel VERBOSE"}));
  const Conversation said = talk(server, "wrong");
  ASSERT_TRUE(said.error) << said.describe();
  EXPECT_TRUE(said.error->is(ErrorCode::kAuthentication)) << said.describe();
  EXPECT_EQ(said.error->message().find("wrong"), std::string::npos);
  const std::string log = server.log();
  EXPECT_EQ(log.find("Failed password"), log.rfind("Failed password")) << log;
}

TEST_F(ChildPasswords, AreNoAnswerToAnotherQuestion) {
  const FakeAccounts accounts("unused", "Verification code: =hunter2");
  const TestServer server(with(accounts));
  const Conversation said = talk(server, "hunter2");
  ASSERT_TRUE(said.error) << said.describe();
  EXPECT_TRUE(said.error->is(ErrorCode::kAuthentication)) << said.describe();
}

TEST_F(ChildPasswords, AreMeantForOneUserAtOneHost) {
  ssh::Options options;
  options.host = "Box.example";
  options.user = "joe";
  const auto password = ssh::ChildPassword::create(options, ssh::Secret::copy_of("x"));
  ASSERT_TRUE(password);
  EXPECT_TRUE((*password)->is_meant("joe@box.example's password: "));
  EXPECT_TRUE((*password)->is_meant("(joe@box.example) Password: "));
  for (const char* other :
       {"joe@jump.example's password: ", "ann@box.example's password: ",
        "(joe@box.example) Verification code: ", "(joe@jump.example) Password: ",
        "Enter passphrase for key '/k': ", "Are you sure you want to continue connecting? "}) {
    EXPECT_FALSE((*password)->is_meant(other)) << other;
  }
}

}  // namespace
}  // namespace sftpfs::test
