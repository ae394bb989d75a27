// See app/config.h.
#include "app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sftpfs::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

Config with_source() {
  Config config;
  config.source = *parse_source("joe@host:/data");
  return config;
}

TEST(Config, WorkersFollowTheCoresUnlessSaidOtherwise) {
  Config config;
  EXPECT_EQ(worker_count(config, 1), 1U);
  EXPECT_EQ(worker_count(config, 3), 1U);
  EXPECT_EQ(worker_count(config, 4), 2U);
  EXPECT_EQ(worker_count(config, 64), 2U);
  config.max_conns = 1;
  EXPECT_EQ(worker_count(config, 64), 1U);
  config.max_conns = 8;
  config.workers = 8;
  EXPECT_EQ(worker_count(config, 2), 8U);
}

TEST(Config, DefaultsAreValidAndLeaveTheTransportOpen) {
  const Config config = with_source();
  ASSERT_TRUE(validate(config));
  EXPECT_EQ(config.transport, Transport::kAuto);
  EXPECT_TRUE(all_ssh_options(config).empty());
  EXPECT_EQ(config.umount_timeout, std::chrono::seconds(30));
}

TEST(Config, Libssh2IsNotDemandedWithWhatOnlySshCanDo) {
  Config config = with_source();
  config.ssh_only = {"RevokedHostKeys"};
  ASSERT_TRUE(validate(config));
  config.transport = Transport::kLibssh2;
  const Status refused = validate(config);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "option 'RevokedHostKeys' needs transport=ssh");
}

TEST(Config, APasswordMayBeGivenToEitherTransport) {
  for (const Transport transport : {Transport::kAuto, Transport::kLibssh2, Transport::kSsh}) {
    Config config = with_source();
    config.transport = transport;
    config.password_file = "/etc/secret";
    EXPECT_TRUE(validate(config));
  }
}

TEST(Config, TheBoundsOfTheLifetimeOfAttributesAreInOrder) {
  Config config = with_source();
  config.attr_lifetime_min_s = 60;
  EXPECT_TRUE(validate(config));
  config.attr_lifetime_max_s = 60;
  EXPECT_TRUE(validate(config));
  config.attr_lifetime_max_s = 7.5;
  const Status refused = validate(config);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "acmin=60 is more than acmax=7.5: give acmax=60 or more");
}

TEST(Config, NothingIsPromisedAboutLinksThatAreHidden) {
  Config config = with_source();
  config.durability = Promise::kFsync;
  EXPECT_TRUE(validate(config));
  config.follow_symlinks = true;
  const Status refused = validate(config);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("leave one out"), std::string::npos);
}

TEST(Config, WithoutSshThereIsOneWayToTheServer) {
  Config config = with_source();
  config.directport = 4000;
  EXPECT_TRUE(validate(config));
  config.passive = true;
  EXPECT_EQ(validate(config).error().message(), "directport, vsock and passive exclude each other");
  config.directport.reset();
  EXPECT_TRUE(validate(config));
  config.lazy_connect = true;
  EXPECT_FALSE(validate(config));
}

TEST(Config, TheFsnameIsTheSourceAsWritten) {
  Config config = with_source();
  EXPECT_EQ(fsname_of(config), "joe@host:/data");
  config.fsname = "other";
  EXPECT_EQ(fsname_of(config), "other");
}

TEST(Config, FuseGetsNosuidAndNodevUnlessAskedOtherwise) {
  Config config = with_source();
  EXPECT_THAT(fuse_mount_options(config),
              ElementsAre("rw", "nosuid", "nodev", "fsname=joe@host:/data", "subtype=sftpfs"));
  config.flags.read_only = true;
  config.flags.nosuid = false;
  config.flags.noexec = true;
  config.allow_other = true;
  config.flags.security_contexts = {"context=u:r:t:s0:c1,c2"};
  const std::vector<std::string> words = fuse_mount_options(config);
  for (const char* word :
       {"ro", "suid", "nodev", "noexec", "allow_other", "context=u:r:t:s0:c1,c2"}) {
    EXPECT_THAT(words, Contains(word));
  }
  EXPECT_THAT(words, Not(Contains("rw")));
}

TEST(Config, SshGetsEveryWordThatWasGiven) {
  Config config = with_source();
  config.port = 2222;
  config.identity_files = {"/a", "/b"};
  config.strict_host_key_checking = "yes";
  config.server_alive_interval_s = 5;
  config.ssh_options = {{"Ciphers", "aes128-ctr"}};
  EXPECT_THAT(
      all_ssh_options(config),
      ElementsAre(SshOption{"Port", "2222"}, SshOption{"IdentityFile", "/a"},
                  SshOption{"IdentityFile", "/b"}, SshOption{"StrictHostKeyChecking", "yes"},
                  SshOption{"ServerAliveInterval", "5"}, SshOption{"Ciphers", "aes128-ctr"}));
}

}  // namespace
}  // namespace sftpfs::app
