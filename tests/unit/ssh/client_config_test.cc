// Promises of ssh/client_config.h, ssh/tokens.h, ssh/type_of_service.h and ssh/builtin_config.h.
#include "ssh/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "ssh/builtin_config.h"
#include "ssh/resolve.h"
#include "ssh/tokens.h"
#include "ssh/type_of_service.h"

namespace sftpfs::ssh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kMinimal = "host al\nuser bob\nhostname al.example.org\nport 22\n";

ClientConfig parsed(const std::string& more) {
  Result<ClientConfig> config = ClientConfig::parse(kMinimal + more);
  EXPECT_TRUE(config) << (config ? "" : config.error().describe());
  return config ? *config : ClientConfig();
}

Options with(const ClientConfig& config) {
  Options options;
  options.host = "al";
  options.client_config = std::make_shared<const ClientConfig>(config);
  return options;
}

TEST(ClientConfig, KeepsEveryWordThatSshPrints) {
  const ClientConfig config =
      parsed("identityfile ~/my key\nidentityfile %d/b\ncompression yes\nempty \n");
  EXPECT_EQ(config.get("hostname"), "al.example.org");
  EXPECT_THAT(config.all("identityfile"), ElementsAre("~/my key", "%d/b"));
  EXPECT_TRUE(config.yes("compression"));
  EXPECT_EQ(config.find("missing"), nullptr);
  EXPECT_FALSE(config.wanted("empty"));
}

TEST(ClientConfig, RefusesWhatIsNoOutputOfSsh) {
  for (const char* text : {"", "hello\n", "Welcome! to this host\nuser bob\nhostname a\nport 22\n",
                           "user bob\nhostname a\n", "user b\x1b[2Job\nhostname a\nport 22\n"}) {
    EXPECT_FALSE(ClientConfig::parse(text)) << text;
  }
  EXPECT_FALSE(ClientConfig::parse(std::string(kClientConfigBytesMax + 1, 'a')));
}

TEST(ClientConfig, NamedIsWhatDiffersFromSshsOwn) {
  ClientConfig config = parsed("ciphers a,b\nmacs x\nidentityfile ~/.ssh/id_rsa\n");
  config.compare_with(parsed("ciphers b,a\nmacs x\nidentityfile ~/.ssh/id_rsa\n"));
  EXPECT_TRUE(config.named("ciphers"));
  EXPECT_FALSE(config.named("macs"));
  EXPECT_FALSE(config.named("identityfile"));
  EXPECT_FALSE(config.named("nowhere"));
}

TEST(ClientConfig, PathsWithBlanksAreFoundAgain) {
  EXPECT_THAT(split_paths("/etc/a b /etc/foo"), ElementsAre("/etc/a b", "/etc/foo"));
  EXPECT_THAT(split_paths("\"/a b\" ~/c  none"), ElementsAre("/a b", "~/c", "none"));
  EXPECT_THAT(split_paths("  "), IsEmpty());
}

TEST(Tokens, AreWhatSshMakesOfThem) {
  ::setenv("SFTPFS_TEST_VALUE", "50%", 1);
  const TokenValues values{"real", "typed", "alias", 2200, "bob", "gate", "/home/me", "me"};
  EXPECT_EQ(expand_percent("nc -X %h:%p %r %n %k %j %%h ~ ${X}", values).value_or(""),
            "nc -X real:2200 bob typed alias gate %h ~ ${X}");
  EXPECT_EQ(expand_path("~/keys/%h", values).value_or(""), "/home/me/keys/real");
  EXPECT_EQ(expand_path("%d/${SFTPFS_TEST_VALUE}/%u", values).value_or(""), "/home/me/50%/me");
  EXPECT_TRUE(expand_path("~root/x", values).value_or("").ends_with("/x"));
  EXPECT_EQ(expand_percent("%C", values).value_or("").size(), 40U);
  EXPECT_FALSE(expand_percent("%z", values));
  EXPECT_FALSE(expand_percent("100%", values));
  EXPECT_FALSE(expand_path("${SFTPFS_TEST_NO_SUCH_VALUE}", values));
}

TEST(TypeOfService, IsTheClassForSessionsWithoutATerminal) {
  EXPECT_EQ(type_of_service("af21 cs1"), 0x20);
  EXPECT_EQ(type_of_service("lowdelay throughput"), 0x08);
  EXPECT_EQ(type_of_service("0x88"), 0x88);
  EXPECT_EQ(type_of_service("none"), std::nullopt);
  EXPECT_EQ(type_of_service("300"), std::nullopt);
}

TEST(Resolve, TakesEveryWordOfSshConfig) {
  const ClientConfig config = parsed(
      "identityfile /k\ncertificatefile /k-cert.pub\nidentitiesonly yes\nidentityagent none\n"
      "stricthostkeychecking false\nuserknownhostsfile /a b /c\nglobalknownhostsfile none\n"
      "hostkeyalias store\nconnecttimeout 7\nconnectionattempts 3\nserveraliveinterval 20\n"
      "serveralivecountmax 2\ntcpkeepalive no\ncompression yes\nciphers aes256-ctr\n"
      "kexalgorithms ecdh-sha2-nistp256\nmacs hmac-sha1\nhostkeyalgorithms ssh-ed25519\n"
      "pubkeyacceptedalgorithms ssh-ed25519\naddressfamily inet\nbindaddress 10.0.0.1\n"
      "bindinterface eth0\npreferredauthentications password,publickey\n"
      "pubkeyauthentication false\nbatchmode yes\nnumberofpasswordprompts 1\nipqos cs1 cs1\n"
      "proxycommand nc %h %p\n");
  const Result<Target> target = resolve(with(config));
  ASSERT_TRUE(target) << target.error().describe();
  EXPECT_EQ(target->host, "al.example.org");
  EXPECT_EQ(target->user, "bob");
  EXPECT_THAT(target->identity_files, ElementsAre("/k"));
  EXPECT_THAT(target->certificate_files, ElementsAre("/k-cert.pub"));
  EXPECT_TRUE(target->identities_only && target->batch_mode && target->compression);
  EXPECT_EQ(target->agent_socket, "");
  EXPECT_EQ(target->host_key_policy, HostKeyPolicy::kNo);
  EXPECT_THAT(target->user_known_hosts_files, ElementsAre("/a b", "/c"));
  EXPECT_THAT(target->global_known_hosts_files, IsEmpty());
  EXPECT_EQ(target->known_as, "store");
  EXPECT_EQ(target->connect_timeout, std::chrono::seconds(7));
  EXPECT_EQ(target->connection_attempts, 3);
  EXPECT_EQ(target->unacknowledged_max, std::chrono::seconds(40));
  EXPECT_FALSE(target->tcp_keep_alive);
  EXPECT_EQ(target->algorithms.ciphers, "aes256-ctr");
  EXPECT_EQ(target->algorithms.kex, "ecdh-sha2-nistp256");
  EXPECT_EQ(target->key_algorithms, "ssh-ed25519");
  EXPECT_EQ(target->bind_address, "10.0.0.1");
  EXPECT_EQ(target->bind_interface, "eth0");
  EXPECT_THAT(target->methods, ElementsAre("password"));
  EXPECT_EQ(target->password_prompts, 1);
  EXPECT_EQ(target->type_of_service, 0x20);
  EXPECT_EQ(target->proxy_command, "nc al.example.org 22");
}

TEST(Resolve, NamesTheWordThatMakesNoSense) {
  const Result<Target> target = resolve(with(parsed("connectionattempts many\n")));
  ASSERT_FALSE(target);
  EXPECT_TRUE(target.error().is(ErrorCode::kInvalid));
  EXPECT_THAT(target.error().message(), HasSubstr("connectionattempts=many"));
}

TEST(BuiltinConfig, GivesTheUsersWordsTheirMeaningWithoutSsh) {
  Options options;
  options.host = "al";
  options.ssh_options = {{"HostName", "10.0.0.7"},
                         {"ProxyJump", "gate"},
                         {"PubkeyAcceptedKeyTypes", "ssh-ed25519"},
                         {"ChallengeResponseAuthentication", "no"}};
  options.port = 2200;
  const Result<Target> target = resolve(options);
  ASSERT_TRUE(target) << target.error().describe();
  EXPECT_EQ(target->host, "10.0.0.7");
  EXPECT_EQ(target->port, 2200);
  EXPECT_EQ(target->proxy_jump, "gate");
  EXPECT_EQ(target->key_algorithms, "ssh-ed25519");
  EXPECT_THAT(target->methods, ElementsAre("publickey", "password"));
  EXPECT_FALSE(target->identity_files_named);
  EXPECT_EQ(target->identity_files.size(), 3U);
}

}  // namespace
}  // namespace sftpfs::ssh
