// Promises of ssh/resolve.h and of the texts shown at a terminal (ssh/auth.h).
#include "ssh/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ssh/auth.h"

namespace sftpfs::ssh {
namespace {

using testing::Each;
using testing::SizeIs;
using testing::StartsWith;

TEST(Resolve, FillsInOpenSshsDefaults) {
  Options options;
  options.host = "build1";
  const Result<Target> target = resolve(options);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->port, 22);
  EXPECT_FALSE(target->user.empty());
  EXPECT_EQ(target->known_as, "build1");
  EXPECT_EQ(target->host_key_policy, HostKeyPolicy::kAsk);
  EXPECT_THAT(target->identity_files, SizeIs(3));
  EXPECT_THAT(target->identity_files, Each(StartsWith("/")));
  EXPECT_FALSE(target->identity_files_named);
  EXPECT_THAT(target->user_known_hosts_files, Each(StartsWith("/")));
  EXPECT_EQ(target->unacknowledged_max, std::chrono::seconds(45));
}

TEST(Resolve, TakesWhatIsSaid) {
  Options options;
  options.host = "[::1]";
  options.port = 2222;
  options.user = "alice";
  options.host_key_alias = "alias";
  options.identity_files = {"~/key", "/abs/key"};
  const Result<Target> target = resolve(options);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "::1");
  EXPECT_EQ(target->label(), "alice@::1:2222");
  EXPECT_EQ(target->known_as, "alias");
  EXPECT_EQ(target->known_port, 22);
  EXPECT_THAT(target->identity_files[0], StartsWith("/"));
  EXPECT_EQ(target->identity_files[1], "/abs/key");
  EXPECT_TRUE(target->identity_files_named);
}

TEST(Resolve, RefusesAHostThatIsNone) {
  Options options;
  EXPECT_FALSE(resolve(options));
  options.host = "-oProxyCommand=x";
  EXPECT_FALSE(resolve(options));
}

TEST(Prompts, AServerCannotSendEscapeSequences) {
  EXPECT_EQ(safe_prompt("Code:\x1b[2J\r\x07 "), "Code:?[2J?? ");
  EXPECT_EQ(safe_prompt("Kennwort f\xc3\xbcr dich: "), "Kennwort f\xc3\xbcr dich: ");
}

}  // namespace
}  // namespace sftpfs::ssh
