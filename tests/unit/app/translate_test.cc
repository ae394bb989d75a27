// What the user's words become below: how a dead server is noticed, and how long things may take.
#include "app/translate.h"

#include <gtest/gtest.h>

#include <vector>

#include "app/command_line.h"

namespace sftpfs::app {
namespace {

using std::chrono::seconds;

Config parsed(const char* options) {
  const std::vector<const char*> words{"sftpfs", "joe@host:/data", "/mnt", "-o", options};
  const Result<CommandLine> line = parse_command_line(words);
  EXPECT_TRUE(line.has_value()) << (line ? "" : line.error().describe());
  return line ? line->config : Config();
}

TEST(Translate, TheServersSignsOfLifeReachBothLayers) {
  const Config config = parsed("ServerAliveInterval=7,ServerAliveCountMax=5");
  const fs::Options fs = fs_options(config, 2);
  EXPECT_EQ(fs.ping_interval, seconds(7));
  EXPECT_EQ(fs.ping_count_max, 5U);
  const Result<ssh::Options> ssh = ssh_options(config);
  ASSERT_TRUE(ssh.has_value());
  EXPECT_EQ(ssh->server_alive_interval, seconds(7));
  EXPECT_EQ(ssh->server_alive_count_max, 5);
}

TEST(Translate, TheyAreAskedForUnlessSaidOtherwise) {
  const fs::Options usual = fs_options(parsed("rw"), 2);
  EXPECT_EQ(usual.ping_interval, seconds(15));
  EXPECT_EQ(usual.ping_count_max, 3U);
  // Never, for ssh(1); but a mount that waits for a dead server would never be whole again.
  EXPECT_EQ(fs_options(parsed("ServerAliveInterval=0"), 2).ping_interval, seconds(15));
}

TEST(Translate, AChildIsGivenTheTimeToConnect) {
  EXPECT_EQ(fs_options(parsed("ConnectTimeout=5"), 2).greeting_timeout, seconds(30));
  EXPECT_EQ(fs_options(parsed("ConnectTimeout=5,transport=ssh"), 2).greeting_timeout, seconds(35));
  EXPECT_EQ(fs_options(parsed("transport=ssh"), 2).greeting_timeout, seconds(60));
}

TEST(Translate, TheSourcesUserIsStrongerThanTheWord) {
  Config config = parsed("User=jane,HostName=10.0.0.7");
  const Result<ssh::Options> named = ssh_options(config);
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->user, "joe");
  EXPECT_EQ(named->ssh_options.size(), 1U);
  config.source.user.clear();
  const Result<ssh::Options> unnamed = ssh_options(config);
  ASSERT_TRUE(unnamed.has_value());
  EXPECT_EQ(unnamed->ssh_options.size(), 2U);
}

TEST(Translate, WhatSshConfigSaysReachesTheOtherLayers) {
  Config config = parsed("rw");
  ssh::Options settled;
  settled.transport = ssh::Transport::kSsh;
  settled.connect_timeout = seconds(7);
  settled.server_alive_interval = seconds(20);
  settled.server_alive_count_max = 2;
  ASSERT_TRUE(take_settled(settled, config));
  const fs::Options fs = fs_options(config, 2);
  EXPECT_EQ(fs.ping_interval, seconds(20));
  EXPECT_EQ(fs.ping_count_max, 2U);
  EXPECT_EQ(fs.greeting_timeout, seconds(37));
}

TEST(Translate, TheLogLevelOfSshConfigHoldsUnlessOursIsGiven) {
  ssh::ClientConfig said;
  said.add("loglevel", "DEBUG3");
  ssh::Options settled;
  settled.client_config = std::make_shared<const ssh::ClientConfig>(said);
  Config config = parsed("rw");
  ASSERT_TRUE(take_settled(settled, config));
  EXPECT_EQ(config.log_level, LogLevel::kTrace);
  config = parsed("log_level=warning");
  ASSERT_TRUE(take_settled(settled, config));
  EXPECT_EQ(config.log_level, LogLevel::kWarning);
}

TEST(Translate, WithoutSshTheRoadIsNamed) {
  const Result<ssh::Options> tcp = ssh_options(parsed("directport=4000"));
  ASSERT_TRUE(tcp && tcp->bare);
  EXPECT_EQ(tcp->bare->over, ssh::BareSftp::Over::kTcp);
  EXPECT_EQ(tcp->bare->port, 4000U);
  const Result<ssh::Options> vsock = ssh_options(parsed("vsock=3:22"));
  ASSERT_TRUE(vsock && vsock->bare);
  EXPECT_EQ(vsock->bare->cid, 3U);
  EXPECT_EQ(vsock->bare->port, 22U);
  // What has ended cannot be waited for.
  EXPECT_TRUE(fs_options(parsed("passive"), 2).operation_timeout.has_value());
}

TEST(Translate, WhoeverGivesOneBoundOfTheLifetimeOfAttributesMovesTheOther) {
  struct Case {
    const char* options;
    seconds min;
    seconds max;
  };
  for (const Case& each :
       {Case{"rw", seconds(3), seconds(20)}, Case{"acmin=60", seconds(60), seconds(60)},
        Case{"acmin=10", seconds(10), seconds(20)}, Case{"acmax=1", seconds(1), seconds(1)},
        Case{"acmax=60", seconds(3), seconds(60)}, Case{"acmin=5,acmax=7", seconds(5), seconds(7)},
        Case{"dcache_timeout=30", seconds(30), seconds(30)},
        Case{"dcache_timeout=30,acmin=60", seconds(60), seconds(60)},
        Case{"dcache_timeout=30,acmax=5", seconds(5), seconds(5)}}) {
    const fs::Options fs = fs_options(parsed(each.options), 2);
    EXPECT_EQ(fs.attr_lifetime, each.min) << each.options;
    EXPECT_EQ(fs.attr_lifetime_max, each.max) << each.options;
  }
}

TEST(Translate, DurabilitySaysWhoWaitsForTheServer) {
  const fs::Options usual = fs_options(parsed("rw"), 2);
  EXPECT_TRUE(usual.durability == fs::Durability::kClose && usual.close_to_open);
  EXPECT_TRUE(fs_options(parsed("durability=write"), 2).sync_writes);
  const fs::Options late = fs_options(parsed("durability=fsync"), 2);
  EXPECT_TRUE(late.durability == fs::Durability::kFsync && !late.close_to_open);
  EXPECT_TRUE(fs_options(parsed("durability=fsync,cto"), 2).close_to_open);
  // Who wants every write on the server wants it of names, too.
  const fs::Options both = fs_options(parsed("durability=fsync,sshfs_sync"), 2);
  EXPECT_TRUE(both.durability == fs::Durability::kClose && both.sync_writes);
}

TEST(Translate, WaitingHasItsOwnWords) {
  const fs::Options hard = fs_options(parsed("timeo=5"), 2);
  EXPECT_FALSE(hard.operation_timeout.has_value());
  EXPECT_EQ(hard.drain_timeout, seconds(30));
  const fs::Options soft = fs_options(parsed("soft,timeo=5,umount_timeout=3"), 2);
  EXPECT_EQ(soft.operation_timeout, Duration(seconds(5)));
  EXPECT_EQ(soft.drain_timeout, seconds(3));
}

}  // namespace
}  // namespace sftpfs::app
