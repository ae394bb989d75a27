// Promises of ssh/algorithms.h, ssh/proxy.h and ssh/wildcard.h.
#include "ssh/algorithms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "ssh/proxy.h"
#include "ssh/wildcard.h"

namespace sftpfs::ssh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Algorithms, AListMeansWhatItMeansToSsh) {
  const std::vector<std::string> ours{"b", "c"};
  const std::vector<std::string> supported{"a", "b", "c", "d"};
  EXPECT_THAT(apply_algorithm_list("d,a,z", ours, supported), ElementsAre("d", "a"));
  EXPECT_THAT(apply_algorithm_list("+a", ours, supported), ElementsAre("b", "c", "a"));
  EXPECT_THAT(apply_algorithm_list("^d", ours, supported), ElementsAre("d", "b", "c"));
  EXPECT_THAT(apply_algorithm_list("-b*", ours, supported), ElementsAre("c"));
  EXPECT_THAT(apply_algorithm_list("z", ours, supported), IsEmpty());
}

class Proposals : public testing::Test {
 protected:
  void SetUp() override { session_ = libssh2_session_init(); }
  void TearDown() override { libssh2_session_free(session_); }
  LIBSSH2_SESSION* session_ = nullptr;
};

TEST_F(Proposals, KeepToWhatTheUserAllows) {
  const Result<Proposal> proposal = make_proposal(
      session_, {"", "ecdsa-sha2-nistp256,ssh-ed25519", "aes256-ctr", "hmac-sha2-512"}, {});
  ASSERT_TRUE(proposal) << proposal.error().describe();
  EXPECT_THAT(proposal->ciphers, ElementsAre("aes256-ctr"));
  EXPECT_THAT(proposal->macs, ElementsAre("hmac-sha2-512"));
  EXPECT_THAT(proposal->host_keys, ElementsAre("ecdsa-sha2-nistp256", "ssh-ed25519"));
  EXPECT_THAT(proposal->kex, IsEmpty());
}

TEST_F(Proposals, PutTheKnownKeyFirst) {
  const Result<Proposal> proposal = make_proposal(session_, {}, {"ecdsa-sha2-nistp384"});
  ASSERT_TRUE(proposal);
  EXPECT_EQ(proposal->host_keys.front(), "ecdsa-sha2-nistp384");
  EXPECT_EQ(proposal->ciphers.front(), "aes128-ctr");
}

TEST_F(Proposals, WithNothingInCommonNameTheWord) {
  const Result<Proposal> proposal = make_proposal(session_, {"", "", "no-such-cipher", ""}, {});
  ASSERT_FALSE(proposal);
  EXPECT_TRUE(proposal.error().is(ErrorCode::kUnsupported));
  EXPECT_THAT(proposal.error().message(), HasSubstr("Ciphers=no-such-cipher"));
}

Target target_through(const std::string& jump) {
  Target target;
  target.host = "fe80::1";
  target.port = 2200;
  target.proxy_jump = jump;
  return target;
}

std::vector<std::string> words(const Target& target, bool may_prompt) {
  const Result<std::vector<std::string>> line = proxy_command_line(target, may_prompt);
  EXPECT_TRUE(line) << (line ? "" : line.error().describe());
  return line.value_or(std::vector<std::string>());
}

TEST(ProxyCommandLine, JumpsAsSshDoes) {
  EXPECT_THAT(words(target_through("gate"), true),
              ElementsAre("ssh", "-W", "[fe80::1]:2200", "--", "gate"));
  Target chain = target_through("a,b@[::1]:23,ssh://c@gate:24");
  chain.ssh_config_file = "/cfg";
  EXPECT_THAT(words(chain, false),
              ElementsAre("ssh", "-F", "/cfg", "-l", "c", "-p", "24", "-oBatchMode=yes", "-J",
                          "a,b@[::1]:23", "-W", "[fe80::1]:2200", "--", "gate"));
  EXPECT_THAT(words(target_through("::1"), true),
              ElementsAre("ssh", "-W", "[fe80::1]:2200", "--", "::1"));
}

TEST(ProxyCommandLine, RefusesHopsThatCouldPassForOptions) {
  for (const char* jump : {"-oProxyCommand=x", "a,-b", "-l@host", "host:2x", "@", ","}) {
    EXPECT_FALSE(proxy_command_line(target_through(jump), true)) << jump;
  }
}

TEST(ProxyCommandLine, GivesACommandToTheUsersShell) {
  ::setenv("SHELL", "/bin/sh", 1);
  Target target = target_through("");
  target.proxy_command = "nc -x proxy host 22 | cat";
  EXPECT_THAT(words(target, true), ElementsAre("/bin/sh", "-c", "exec nc -x proxy host 22 | cat"));
}

TEST(Wildcards, MatchAsInSshConfig) {
  EXPECT_TRUE(wildcard_match("*.example.??", "a.example.de"));
  EXPECT_FALSE(wildcard_match("*.example.??", "example.de"));
  EXPECT_TRUE(wildcard_match("**", ""));
}

}  // namespace
}  // namespace sftpfs::ssh
