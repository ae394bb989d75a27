// Promises about ssh_config(5): what ssh itself says of a host is what libssh2 does, and where it
// cannot, ssh(1) does it. Each test has a configuration file of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libssh2.h>

#include <fstream>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "ssh/settle.h"

namespace sftpfs::test {
namespace {

using ssh::Login;
using ssh::Transport;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Configured : public testing::TestWithParam<Transport> {
 protected:
  static std::string host_block(const std::string& name, const TestServer& server) {
    return "\nHost " + name + "\n  HostName 127.0.0.1\n  Port " + std::to_string(server.port()) +
           "\n  User " + server.user() + "\n  IdentityFile " + server.user_key() +
           "\n  UserKnownHostsFile " + server.known_hosts() +
           "\n  GlobalKnownHostsFile none\n  IdentitiesOnly yes\n  IdentityAgent none\n"
           "  StrictHostKeyChecking yes\n";
  }
  // A configuration in which "box" is the server, "gate" another, and everything is in the file.
  std::string write_config(const std::string& more) const {
    const std::string path = server_.file("ssh_config");
    std::ofstream(path) << more << host_block("box", server_) << host_block("gate", gate_);
    return path;
  }
  ssh::Options box(const std::string& more = {}) const {
    ssh::Options options;
    options.host = "box";
    options.transport = GetParam();
    options.ssh_config_file = write_config(more);
    return options;
  }
  Result<std::unique_ptr<runtime::ByteStream>> connect(const ssh::Options& options) {
    const Result<ssh::Settled> settled = ssh::settle(options, nullptr);
    if (!settled) return fail(settled.error());
    notes_ = settled->notes;
    return ssh::connect(settled->options, login_, nullptr, nullptr);
  }
  // Whether an SFTP server answers.
  testing::AssertionResult reaches(const ssh::Options& options) {
    Result<std::unique_ptr<runtime::ByteStream>> stream = connect(options);
    if (!stream) return testing::AssertionFailure() << why(stream);
    const Conversation hello = say_hello(std::move(*stream));
    if (!hello.complete) return testing::AssertionFailure() << hello.describe();
    return testing::AssertionSuccess();
  }

  bool gate_was_passed() const {
    return gate_.log().find("Accepted publickey") != std::string::npos;
  }

  const TestServer server_;
  const TestServer gate_;
  Login login_;
  std::vector<std::string> notes_;
};

INSTANTIATE_TEST_SUITE_P(Ssh, Configured, testing::Values(Transport::kLibssh2, Transport::kSsh),
                         transport_name);

TEST_P(Configured, AnAliasIsEnough) {
  EXPECT_TRUE(reaches(box()));
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_P(Configured, IncludeMatchAndTokensAreSshs) {
  std::ofstream(server_.file("included"))
      << "Match originalhost alias exec \"test %n = alias\"\n  HostName 127.0.0.1\n";
  ssh::Options options = box("Include " + server_.file("included") +
                             "\nHost alias\n  Port 1\n  HostKeyAlias x\n" + "Host other\n");
  options.host = "alias";
  options.client_config = nullptr;
  const Result<ssh::Settled> settled = ssh::settle(options, nullptr);
  ASSERT_TRUE(settled) << why(settled);
  ASSERT_NE(settled->options.client_config, nullptr);
  EXPECT_EQ(settled->options.client_config->get("hostname"), "127.0.0.1");
  EXPECT_EQ(settled->options.client_config->get("hostkeyalias"), "x");
}

TEST_P(Configured, AJumpHostIsOnTheWay) {
  ssh::Options options = box("Host box\n  ProxyJump gate\n");
  EXPECT_TRUE(reaches(options));
  EXPECT_TRUE(gate_was_passed());
}

TEST_P(Configured, JumpHostsMayFormAChain) {
  const TestServer second;
  EXPECT_TRUE(reaches(box(host_block("second", second) + "Host box\n  ProxyJump gate,second\n")));
  EXPECT_TRUE(gate_was_passed());
  EXPECT_THAT(second.log(), HasSubstr("Accepted publickey"));
}

TEST_P(Configured, AProxyCommandCarriesTheBytes) {
  // ssh's own -W does what nc does, and is there on every machine.
  EXPECT_TRUE(reaches(box("Host box\n  ProxyCommand ssh -F " + server_.file("ssh_config") +
                          " -W '[%h]:%p' gate\n")));
  EXPECT_TRUE(gate_was_passed());
}

TEST_P(Configured, AProxyThatFailsSaysWhy) {
  ssh::Options options = box("Host box\n  ProxyCommand echo no way >&2; exit 3\n");
  Result<std::unique_ptr<runtime::ByteStream>> stream = connect(options);
  if (stream) {
    const Conversation talk = say_hello(std::move(*stream));
    ASSERT_TRUE(talk.error.has_value());
    return;  // ssh(1) tells its own story
  }
  EXPECT_THAT(stream.error().message(), HasSubstr("ProxyCommand: no way"));
}

TEST_P(Configured, AlgorithmsAreTheUsers) {
  EXPECT_TRUE(
      reaches(box("Ciphers aes256-ctr\nMACs hmac-sha2-512\n"
                  "KexAlgorithms ecdh-sha2-nistp384\nHostKeyAlgorithms ssh-ed25519\n")));
  const std::string log = server_.log();
  EXPECT_THAT(log, HasSubstr("Accepted publickey"));
}

TEST_P(Configured, MethodsAreTheUsers) {
  Result<std::unique_ptr<runtime::ByteStream>> stream =
      connect(box("PreferredAuthentications password\nBatchMode yes\n"));
  if (stream) {
    EXPECT_FALSE(say_hello(std::move(*stream)).complete);
  } else {
    EXPECT_TRUE(stream.error().is(ErrorCode::kAuthentication)) << why(stream);
  }
  EXPECT_THAT(server_.log(), testing::Not(HasSubstr("Accepted publickey")));
}

TEST_P(Configured, AWordThatSshDoesNotKnowIsAnErrorOfTheUsers) {
  const Result<ssh::Settled> settled = ssh::settle(box("Bogus yes\n"), nullptr);
  ASSERT_FALSE(settled);
  EXPECT_TRUE(settled.error().is(ErrorCode::kInvalid));
  EXPECT_THAT(settled.error().message(), HasSubstr("terminating, 1 bad configuration options"));
}

TEST_P(Configured, TheCommandLineIsStrongerThanTheFile) {
  ssh::Options options = box("Host box\n  ProxyJump nowhere.invalid\n");
  options.ssh_options = {{"ProxyJump", "none"}};
  EXPECT_TRUE(reaches(options));
}

class Auto : public Configured {};
INSTANTIATE_TEST_SUITE_P(Ssh, Auto, testing::Values(Transport::kAuto),
                         [](const auto&) { return std::string("Auto"); });

TEST_P(Auto, IsLibssh2WhereNothingElseIsNeeded) {
  const Result<ssh::Settled> settled = ssh::settle(box(), nullptr);
  ASSERT_TRUE(settled) << why(settled);
  EXPECT_EQ(settled->options.transport, Transport::kAuto);
  Result<std::unique_ptr<runtime::ByteStream>> stream = connect(box());
  ASSERT_TRUE(stream) << why(stream);
  EXPECT_THAT((*stream)->description(), HasSubstr("libssh2"));
}

TEST_P(Auto, SaysWhyItIsSsh) {
  for (const char* words :
       {"PKCS11Provider /usr/lib/none.so", "RekeyLimit 1M", "HostbasedAuthentication yes",
        "PreferredAuthentications gssapi-with-mic", "MACs umac-128@openssh.com",
        "CertificateFile /nowhere-cert.pub"}) {
    SCOPED_TRACE(words);
    const Result<ssh::Settled> settled = ssh::settle(box(words), nullptr);
    ASSERT_TRUE(settled) << why(settled);
    EXPECT_EQ(settled->options.transport, Transport::kSsh);
    const std::string word(words, std::string(words).find(' '));
    ASSERT_EQ(settled->notes.size(), 1U);
    EXPECT_THAT(settled->notes[0],
                HasSubstr(word == "CertificateFile" ? "certificate /nowhere" : word));
  }
}

TEST_P(Auto, NamesWhatLibssh2DoesNotDo) {
  const Result<ssh::Settled> settled =
      ssh::settle(box("VisualHostKey yes\nControlMaster auto\nControlPath ~/none\n"), nullptr);
  ASSERT_TRUE(settled) << why(settled);
  EXPECT_THAT(settled->notes,
              ElementsAre("transport=libssh2 goes on without: ControlMaster, VisualHostKey"));
}

TEST_P(Auto, ARefusalThatSomebodyReliesOnIsNotForgotten) {
  ssh::Options options = box("RevokedHostKeys /etc/revoked\n");
  options.transport = Transport::kLibssh2;
  const Result<ssh::Settled> settled = ssh::settle(options, nullptr);
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message(), HasSubstr("RevokedHostKeys"));
  options.transport = Transport::kAuto;
  const Result<ssh::Settled> by_itself = ssh::settle(options, nullptr);
  ASSERT_TRUE(by_itself);
  EXPECT_EQ(by_itself->options.transport, Transport::kSsh);
}

// Keys that a certificate authority vouches for, in both directions.
class Certificates : public testing::Test {
 protected:
  static void sign(const TestServer& server, const std::string& authority, const std::string& key,
                   bool host) {
    Arguments words{"ssh-keygen", "-q",   "-s", authority,
                    "-I",         "test", "-n", host ? "127.0.0.1" : server.user()};
    if (host) words.emplace_back("-h");
    words.push_back(key + ".pub");
    const Outcome signed_it = run(words);
    EXPECT_TRUE(signed_it.ok()) << signed_it.describe();
  }
  static testing::AssertionResult reaches(const ssh::Options& options) {
    const Result<ssh::Settled> settled = ssh::settle(options, nullptr);
    if (!settled) return testing::AssertionFailure() << why(settled);
    Login login;
    Result<std::unique_ptr<runtime::ByteStream>> stream =
        ssh::connect(settled->options, login, nullptr, nullptr);
    if (!stream) return testing::AssertionFailure() << why(stream);
    const Conversation hello = say_hello(std::move(*stream));
    if (!hello.complete) return testing::AssertionFailure() << hello.describe();
    return testing::AssertionSuccess();
  }
};

TEST_F(Certificates, OfUsersLogInThroughSsh) {
  const TempDir directory;
  const std::string authority = directory.file("authority");
  ASSERT_TRUE(run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority}).ok());
  ServerOptions with;
  with.config = {"TrustedUserCAKeys " + authority + ".pub", "AuthorizedKeysFile none"};
  const TestServer server(with);
  const ssh::Options plain = options_for(server, Transport::kAuto, server.user_key());
  EXPECT_FALSE(reaches(plain));
  sign(server, authority, server.user_key(), false);
  EXPECT_TRUE(reaches(plain));
  ssh::Options named = options_for(server, Transport::kLibssh2, server.user_key());
  const Result<ssh::Settled> settled = ssh::settle(named, nullptr);
  ASSERT_TRUE(settled);
  EXPECT_THAT(settled->notes.at(0), HasSubstr("goes on without: certificate"));
}

TEST_F(Certificates, OfHostsAreCheckedBySshAndClearlyRefusedByLibssh2) {
  TestServer server;
  const std::string authority = server.make_key("authority");
  sign(server, authority, server.host_key(), true);
  const std::string known = server.file("authority_known_hosts");
  std::ifstream key(authority + ".pub");
  std::ofstream(known) << "@cert-authority * " << key.rdbuf();
  ssh::Options options = options_for(server, Transport::kAuto, server.user_key());
  options.user_known_hosts_files = {known};
  // The server does not show its certificate yet: nobody vouches for its key.
  EXPECT_FALSE(reaches(options));
  std::ofstream(server.file("sshd_config"), std::ios::app)
      << "HostCertificate " << server.host_key() << "-cert.pub\n";
  server.start_again();
  EXPECT_TRUE(reaches(options));
  options.transport = Transport::kLibssh2;
  Login login;
  const auto refused = ssh::connect(options, login, nullptr, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(ErrorCode::kHostKey));
  EXPECT_THAT(refused.error().message(), HasSubstr("certificate authority"));
}

TEST(AutoTransport, TakesSshForHostsKnownByWhatLibssh2CannotCheck) {
  ServerOptions with;
  with.host_keys = {KeyType::kRsa};
  const TestServer server(with);
  ssh::Options options = options_for(server, Transport::kAuto, server.user_key());
  Result<ssh::Settled> settled = ssh::settle(options, nullptr);
  ASSERT_TRUE(settled) << why(settled);
  // Before 1.11 libssh2 has only the signatures that servers have given up.
  if (libssh2_version(0x010b00) == nullptr) {
    EXPECT_EQ(settled->options.transport, Transport::kSsh);
    EXPECT_THAT(settled->notes, ElementsAre(HasSubstr("ssh-rsa host keys")));
  } else {
    EXPECT_EQ(settled->options.transport, Transport::kAuto);
    EXPECT_THAT(settled->notes, IsEmpty());
  }
  std::ifstream key(server.host_key(KeyType::kRsa) + ".pub");
  const std::string authority = server.file("authority");
  std::ofstream(authority) << "@cert-authority * " << key.rdbuf();
  options.user_known_hosts_files = {authority};
  settled = ssh::settle(options, nullptr);
  ASSERT_TRUE(settled) << why(settled);
  EXPECT_EQ(settled->options.transport, Transport::kSsh);
  EXPECT_THAT(settled->notes.at(0), HasSubstr("host certificates"));
}

TEST(AutoTransport, TakesSshForAServerThatLibssh2CannotTalkTo) {
  ServerOptions with;
  with.config = {"Ciphers chacha20-poly1305@openssh.com"};
  const TestServer server(with);
  ssh::Options options = options_for(server, Transport::kAuto, server.user_key());
  options.child_ciphers.clear();
  Login login;
  Result<std::unique_ptr<runtime::ByteStream>> stream =
      ssh::connect(options, login, nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  EXPECT_TRUE(ssh::uses_child(options, login));
  EXPECT_TRUE(say_hello(std::move(*stream)).complete);
}

}  // namespace
}  // namespace sftpfs::test
