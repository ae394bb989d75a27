// Jump hosts: what the mount says to the child that goes through them is what the child hears.
#include "ssh/jump.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ssh/jump_hosts.h"

namespace sftpfs::ssh {
namespace {

Target target_through(const std::string& hops) {
  Target target;
  target.host = "box.example";
  target.port = 2222;
  target.proxy_jump = hops;
  target.jump_program = "/usr/bin/sftpfs";
  target.identity_files = {"/keys/a b/key"};
  target.identity_files_named = true;
  target.user_known_hosts_files = {"/keys/a b/known", "/other"};
  target.host_key_policy = HostKeyPolicy::kYes;
  target.connect_timeout = std::chrono::seconds(7);
  return target;
}

Result<Jump> heard(const std::vector<std::string>& command) {
  std::vector<const char*> words;
  for (std::size_t i = 2; i < command.size(); ++i) words.push_back(command[i].c_str());
  return parse_jump_command(words, command.front());
}

TEST(Jump, WhatIsSaidIsHeard) {
  const auto command = jump_command(target_through("ann@one,[::1]:77,joe@two:88"), true);
  ASSERT_TRUE(command);
  EXPECT_EQ((*command)[1], kJumpWord);
  const Result<Jump> jump = heard(*command);
  ASSERT_TRUE(jump) << jump.error().describe();
  EXPECT_TRUE(jump->may_prompt);
  EXPECT_EQ(jump->host, "box.example");
  EXPECT_EQ(jump->port, 2222);
  const Result<Target> target = resolve(jump->options);
  ASSERT_TRUE(target) << target.error().describe();
  EXPECT_EQ(target->host, "two");
  EXPECT_EQ(target->user, "joe");
  EXPECT_EQ(target->port, 88);
  EXPECT_EQ(target->proxy_jump, "ann@one,[::1]:77");
  EXPECT_EQ(target->jump_program, "/usr/bin/sftpfs");
  EXPECT_EQ(target->identity_files, std::vector<std::string>{"/keys/a b/key"});
  EXPECT_EQ(target->user_known_hosts_files,
            (std::vector<std::string>{"/keys/a b/known", "/other"}));
  EXPECT_EQ(target->host_key_policy, HostKeyPolicy::kYes);
  EXPECT_EQ(target->connect_timeout, std::chrono::seconds(7));
}

TEST(Jump, PathsAreNotExpandedASecondTime) {
  Target target = target_through("gate");
  target.identity_files = {"/keys/100%/key"};
  target.user_known_hosts_files = {"/keys/%h"};
  target.agent_socket = "/keys/%d/agent";
  const auto command = jump_command(target, false);
  ASSERT_TRUE(command);
  const Result<Jump> jump = heard(*command);
  ASSERT_TRUE(jump);
  const Result<Target> expanded = resolve(jump->options);
  ASSERT_TRUE(expanded) << expanded.error().describe();
  EXPECT_EQ(expanded->identity_files, target.identity_files);
  EXPECT_EQ(expanded->user_known_hosts_files, target.user_known_hosts_files);
  EXPECT_EQ(expanded->agent_socket, target.agent_socket);
}

TEST(Jump, TheFirstHopHasNoOtherBeforeIt) {
  const auto command = jump_command(target_through("one"), false);
  ASSERT_TRUE(command);
  const Result<Jump> jump = heard(*command);
  ASSERT_TRUE(jump);
  EXPECT_FALSE(jump->may_prompt);
  const Result<Target> target = resolve(jump->options);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->proxy_jump, "");
}

TEST(Jump, WordsThatMakeNoSenseAreRefused) {
  EXPECT_FALSE(heard({"sftpfs", "--jump"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "gate", "box"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "gate", "box", "0"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "gate", "box", "65536"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "gate:0", "box", "22"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "", "box", "22"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "-oProxyCommand=x", "box", "22"}));
  EXPECT_FALSE(heard({"sftpfs", "--jump", "ask", "gate", "box", "22", "nonsense"}));
}

TEST(JumpHosts, AllButTheLastAreItsWay) {
  EXPECT_EQ(earlier_jump_hosts("a,b@c:1,d"), "a,b@c:1");
  EXPECT_EQ(earlier_jump_hosts("a"), "");
  EXPECT_EQ(earlier_jump_hosts(""), "");
}

}  // namespace
}  // namespace sftpfs::ssh
