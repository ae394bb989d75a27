// Promises of ssh/ssh_command.h.
#include "ssh/ssh_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace sftpfs::ssh {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Options basic() {
  Options options;
  options.host = "build1";
  return options;
}

std::vector<std::string> words(const Options& options, bool may_prompt = true) {
  Result<std::vector<std::string>> line =
      ssh_command_line(options, may_prompt, ChildHostKey("word"));
  EXPECT_TRUE(line) << line.error().describe();
  return line ? *line : std::vector<std::string>();
}

std::size_t position(const std::vector<std::string>& line, const std::string& word) {
  return static_cast<std::size_t>(std::find(line.begin(), line.end(), word) - line.begin());
}

TEST(SshCommand, WithoutOptionsOnlySaysWhatMustBeSaid) {
  EXPECT_THAT(
      words(basic()),
      ElementsAre("ssh", "-x", "-a", "-oClearAllForwardings=yes", "-oPermitLocalCommand=no",
                  "-oRemoteCommand=none", "-oRequestTTY=no", "-oNumberOfPasswordPrompts=3",
                  "-oConnectTimeout=30", "-oServerAliveInterval=15", "-oServerAliveCountMax=3",
                  "-oCiphers=^aes128-gcm@openssh.com", "-s", "--", "build1", "sftp"));
}

TEST(SshCommand, MapsEveryNamedOption) {
  Options options = basic();
  options.port = 2222;
  options.user = "alice";
  options.identity_files = {"/keys/a", "/keys/b c"};
  options.identities_only = true;
  options.agent_socket = "";
  options.host_key_policy = HostKeyPolicy::kAcceptNew;
  options.user_known_hosts_files = {"/etc/my hosts", "/b"};
  options.global_known_hosts_files = {"/g"};
  options.host_key_alias = "alias";
  options.hash_known_hosts = true;
  options.address_family = AF_INET6;
  options.compression = true;
  options.ssh_config_file = "/etc/cfg";
  const std::vector<std::string> line = words(options);
  for (const char* word :
       {"-p", "2222", "-l", "alice", "-i", "/keys/a", "/keys/b c", "-oIdentitiesOnly=yes",
        "-oIdentityAgent=none", "-oStrictHostKeyChecking=accept-new",
        "-oUserKnownHostsFile=\"/etc/my hosts\" \"/b\"", "-oGlobalKnownHostsFile=\"/g\"",
        "-oHostKeyAlias=alias", "-oHashKnownHosts=yes", "-6", "-oCompression=yes", "-F",
        "/etc/cfg"}) {
    EXPECT_THAT(line, Contains(word));
  }
}

TEST(SshCommand, TheUsersOwnOptionsComeFirst) {
  Options options = basic();
  options.ssh_options = {{"Ciphers", "aes256-ctr"}, {"ServerAliveInterval", "5"}};
  const std::vector<std::string> line = words(options);
  EXPECT_LT(position(line, "-oCiphers=aes256-ctr"),
            position(line, "-oCiphers=^aes128-gcm@openssh.com"));
  EXPECT_LT(position(line, "-oServerAliveInterval=5"), position(line, "-oServerAliveInterval=15"));
}

TEST(SshCommand, WhereNobodySitsNothingIsAsked) {
  EXPECT_THAT(words(basic(), false), Contains("-oBatchMode=yes"));
  EXPECT_THAT(words(basic(), true), Not(Contains("-oBatchMode=yes")));
}

TEST(SshCommand, AServerWithASlashIsACommand) {
  Options options = basic();
  options.sftp_server = "sudo /usr/lib/openssh/sftp-server";
  const std::vector<std::string> line = words(options);
  EXPECT_THAT(line, Not(Contains("-s")));
  EXPECT_EQ(line.back(), "sudo /usr/lib/openssh/sftp-server");
}

TEST(SshCommand, NoHostOrUserCanPassForAnOption) {
  for (const char* host : {"-oProxyCommand=evil", "", "a b", "a\nb", "-"}) {
    Options options = basic();
    options.host = host;
    const auto line = ssh_command_line(options, true, ChildHostKey("word"));
    ASSERT_FALSE(line) << host;
    EXPECT_TRUE(line.error().is(ErrorCode::kInvalid));
  }
  Options options = basic();
  options.user = "-oProxyCommand=evil";
  EXPECT_FALSE(ssh_command_line(options, true, ChildHostKey("word")));
}

TEST(SshCommand, AddressesLoseTheirBrackets) {
  Options options = basic();
  options.host = "[::1]";
  EXPECT_THAT(words(options), Contains("::1"));
}

TEST(SshCommand, SplitsWordsAsSshfsDoes) {
  EXPECT_THAT(split_command("sudo  ssh -v"), ElementsAre("sudo", "ssh", "-v"));
  EXPECT_THAT(split_command("/my\\ dir/ssh a\\\\b"), ElementsAre("/my dir/ssh", "a\\b"));
  EXPECT_TRUE(split_command("  ").empty());
  Options options = basic();
  options.ssh_command = "";
  EXPECT_FALSE(ssh_command_line(options, true, ChildHostKey("word")));
}

}  // namespace
}  // namespace sftpfs::ssh
