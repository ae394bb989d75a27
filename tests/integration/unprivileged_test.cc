// Mounting as an ordinary user, through fusermount3.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr uid_t kNobody = 65534;

class Unprivileged : public testing::TestWithParam<MountConfig> {
 protected:
  std::unique_ptr<TestMount> start(bool daemon) const {
    MountOptions options;
    options.config = GetParam();
    options.config.shared = false;  // allow_other is root's to give (/etc/fuse.conf)
    options.daemon = daemon;
    options.user = user();
    options.identity_file = key_for_user();
    return std::make_unique<TestMount>(server_, options);
  }

  // As root: another user. Otherwise we are one.
  static std::optional<uid_t> user() {
    return ::geteuid() == 0 ? std::optional(kNobody) : std::nullopt;
  }

  // ssh(1) insists on a private key of the user's own.
  std::string key_for_user() const {
    const std::string key = server_.file("key_of_the_user");
    std::filesystem::copy_file(server_.user_key(), key,
                               std::filesystem::copy_options::overwrite_existing);
    must(::chmod(key.c_str(), 0600), "chmod");
    if (user()) must(::chown(key.c_str(), *user(), *user()), "chown");
    return key;
  }

  Outcome as_user(const Arguments& arguments) const {
    ProcessOptions options;
    options.user = user();
    options.directory = "/";
    return run(arguments, options);
  }

  TestServer server_;
};
INSTANTIATE_ON_ALL_MOUNTS(Unprivileged);

TEST_P(Unprivileged, MountsReadsWritesAndUnmounts) {
  for (const bool daemon : {false, true}) {
    const auto mount = start(daemon);
    const std::string file = mount->file("file");
    EXPECT_TRUE(as_user({"cp", "/etc/passwd", file}).ok());
    EXPECT_TRUE(as_user({"cmp", "/etc/passwd", file}).ok());
    EXPECT_EQ(as_user({"ls", mount->path()}).output, "file\n");
    EXPECT_TRUE(as_user({"rm", file}).ok());
    const Outcome unmounted = as_user({"fusermount3", "-u", mount->path()});
    EXPECT_TRUE(unmounted.ok()) << unmounted.describe();
    EXPECT_EQ(mount->wait_gone(), "") << mount->log();
  }
}

TEST_P(Unprivileged, IsClosedToOtherUsers) {
  if (!user()) return;  // who is not root has nobody to be shut out
  const auto mount = start(false);
  EXPECT_NE(run({"ls", mount->path()}).exit_code, 0);
  ProcessOptions somebody;
  somebody.user = 12345;
  EXPECT_NE(run({"ls", mount->path()}, somebody).exit_code, 0);
  EXPECT_TRUE(as_user({"ls", mount->path()}).ok());
}

TEST_P(Unprivileged, SigtermUnmounts) {
  const auto mount = start(false);
  mount->send_signal(SIGTERM);
  EXPECT_EQ(mount->wait_gone(), "") << mount->log();
  const auto outcome = mount->outcome();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->ok()) << outcome->describe();
}

TEST_P(Unprivileged, IsMountedWithoutSetUserIdAndDevices) {
  const auto mount = start(false);
  const auto entry = mount_at(mount->path());
  ASSERT_TRUE(entry);
  EXPECT_NE(entry->options.find("nosuid"), std::string::npos) << entry->options;
  EXPECT_NE(entry->options.find("nodev"), std::string::npos) << entry->options;
}

}  // namespace
}  // namespace sftpfs::test
