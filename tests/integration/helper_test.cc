// mount(8), fstab and the messages of a mount that fails.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "integration/helper_scene.h"
#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/net.h"
#include "support/temp_dir.h"

namespace sftpfs::test {
namespace {

constexpr int kUsage = 1;
constexpr int kMountFailure = 32;

class Helper : public testing::Test {
 protected:
  HelperScene scene_;
};

TEST_F(Helper, MountsByBothTypes) {
  for (const std::string& type : {HelperScene::type(), "fuse." + HelperScene::type()}) {
    const Outcome outcome = scene_.run_here(
        {"mount", "-t", type, scene_.source(), scene_.mount_point(), "-o", scene_.words()});
    ASSERT_TRUE(outcome.ok()) << outcome.describe();
    EXPECT_EQ(outcome.errors, "");
    const auto entry = mount_at(scene_.mount_point());
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->source, scene_.source());
    EXPECT_EQ(entry->type, "fuse." + HelperScene::type());
    EXPECT_EQ(scene_.unmount(), "");
  }
}

TEST(Install, PutsBothHelpersWhereMountLooks) {
  const TempDir directory;
  ProcessOptions options;
  options.environment = {"DESTDIR=" + directory.path()};
  must_run({"cmake", "--install", SFTPFS_BUILD_DIR}, options);
  for (const char* helper : {"/sbin/mount.sftpfs", "/sbin/mount.fuse.sftpfs"}) {
    // A link to where the programme lies once DESTDIR has become "/".
    const std::string target = std::filesystem::read_symlink(directory.path() + helper).string();
    EXPECT_EQ(target.front(), '/') << target;
    EXPECT_TRUE(run({directory.path() + target, "-V"}).ok()) << target;
  }
}

TEST_F(Helper, IsADaemonThatServes) {
  ASSERT_TRUE(scene_.mount(scene_.source(), scene_.words()).ok());
  std::ofstream(scene_.mount_point() + "/file") << "text\n";
  EXPECT_EQ(run({"cat", scene_.server().root() + "/file"}).output, "text\n");
  EXPECT_FALSE(scene_.daemons().empty());
  EXPECT_EQ(scene_.unmount(), "");
}

// umount(8) asks statfs(2) for the type, which would be "fuse".
TEST_F(Helper, UmountDoesNotUnmountWhatTheServerHasNotGot) {
  const Outcome mounted =
      scene_.mount(scene_.source(), scene_.words({"durability=fsync", "umount_timeout=1",
                                                  "entry_timeout=60", "attr_timeout=60"}));
  ASSERT_TRUE(mounted.ok()) << mounted.describe();
  const std::string directory = scene_.mount_point() + "/directory";
  std::filesystem::create_directory(directory);
  // What becomes of a new file's mode on this server has to be seen once.
  std::ofstream(directory + "/first") << "text";
  scene_.server().stop();
  const Outcome written = scene_.run_here({"sh", "-c", "echo text > " + directory + "/file"});
  EXPECT_TRUE(written.ok()) << written.describe();
  const Outcome refused = scene_.run_here({"umount", scene_.mount_point()});
  EXPECT_EQ(refused.exit_code, 32) << refused.describe();
  EXPECT_NE(refused.errors.find("changes of names are not on the server yet"), std::string::npos)
      << refused.describe();
  EXPECT_EQ(scene_.mount_count(), 1);
  scene_.server().resume();
  EXPECT_EQ(scene_.unmount(), "");
  EXPECT_TRUE(std::filesystem::exists(scene_.server().root() + "/directory/file"));
}

TEST_F(Helper, MountsAndUnmountsInAnotherNamespace) {
  Process other({"unshare", "-m", "sh", "-c", "echo ready; exec sleep 60"});
  const Deadline deadline(std::chrono::seconds(10));
  while (other.output() != "ready\n" && !deadline.passed()) {
    if (other.wait(Deadline(std::chrono::milliseconds(2)))) break;
  }
  ASSERT_EQ(other.output(), "ready\n");
  const std::string space = std::to_string(other.pid());
  const auto mounted_there = [&] {
    return scene_.run_here({"nsenter", "-m", "-t", space, "mountpoint", "-q", scene_.mount_point()})
        .ok();
  };
  const Outcome done =
      scene_.run_here({"mount", "-N", space, "-t", HelperScene::type(), scene_.source(),
                       scene_.mount_point(), "-o", scene_.words()});
  ASSERT_TRUE(done.ok()) << done.describe();
  EXPECT_TRUE(mounted_there());
  EXPECT_EQ(scene_.mount_count(), 0);
  const Outcome undone = scene_.run_here({"umount", "-N", space, scene_.mount_point()});
  EXPECT_TRUE(undone.ok()) << undone.describe();
  EXPECT_FALSE(mounted_there());
}

TEST_F(Helper, MountAllTwiceMountsOnce) {
  scene_.write_fstab(scene_.source() + " " + scene_.mount_point() + " fuse." + HelperScene::type() +
                     " _netdev,nofail,noatime,user,rw,x-systemd.automount," + scene_.words() +
                     " 0 0");
  const Outcome first = scene_.mount_all();
  EXPECT_TRUE(first.ok()) << first.describe();
  EXPECT_EQ(scene_.mount_count(), 1);
  const Outcome second = scene_.mount_all();
  EXPECT_TRUE(second.ok()) << second.describe();
  EXPECT_EQ(scene_.mount_count(), 1);
  EXPECT_EQ(scene_.unmount(), "");
}

TEST_F(Helper, MountsByTheMountPointOfAnFstabLine) {
  scene_.write_fstab(scene_.source() + " " + scene_.mount_point() + " " + HelperScene::type() +
                     " noauto,_netdev,ro," + scene_.words() + " 0 0");
  EXPECT_TRUE(scene_.mount_all().ok());
  EXPECT_EQ(scene_.mount_count(), 0) << "noauto was not respected";
  const Outcome outcome =
      scene_.run_here({"mount", "-T", scene_.file("fstab"), scene_.mount_point()});
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_FALSE(std::ofstream(scene_.mount_point() + "/file").is_open()) << "ro was not respected";
  EXPECT_EQ(scene_.unmount(), "");
}

TEST_F(Helper, AcceptsEveryWordThatFstabHandsOver) {
  for (const char* word : {"defaults",
                           "rw",
                           "ro",
                           "nofail",
                           "_netdev",
                           "user",
                           "nouser",
                           "users",
                           "owner",
                           "group",
                           "noatime",
                           "nodiratime",
                           "relatime",
                           "norelatime",
                           "strictatime",
                           "lazytime",
                           "nolazytime",
                           "noauto",
                           "comment=systemd.automount",
                           "x-systemd.automount",
                           "x-gvfs-show",
                           "dev",
                           "nodev",
                           "suid",
                           "nosuid",
                           "exec",
                           "noexec",
                           "sync",
                           "async",
                           "dirsync",
                           "loud",
                           "silent",
                           "iversion"}) {
    const Outcome outcome = scene_.mount(scene_.source(), scene_.words({word}));
    EXPECT_TRUE(outcome.ok()) << word << ": " << outcome.describe();
    if (!outcome.ok()) continue;
    EXPECT_EQ(scene_.unmount(), "") << word;
  }
}

// A mount that must fail: with this code, one line on standard error that has these words, and
// nothing mounted or running afterwards.
class HelperFailure : public Helper {
 protected:
  void expect_failure(const std::string& source, const std::string& words, int code,
                      const std::vector<std::string>& said) {
    const Outcome outcome = scene_.mount(source, words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.describe();
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1)
        << outcome.describe();
    for (const std::string& word : said) {
      EXPECT_NE(outcome.errors.find(word), std::string::npos)
          << "\"" << word << "\" is not said: " << outcome.errors;
    }
    EXPECT_EQ(scene_.mount_count(), 0);
    EXPECT_TRUE(scene_.daemons().empty());
  }
  // For both transports, which must say the same things.
  void expect_failure_both(const std::string& source, const std::vector<std::string>& extra,
                           int code, const std::vector<std::string>& said,
                           const std::string& identity_file = {}) {
    for (const char* transport : {"libssh2", "ssh"}) {
      SCOPED_TRACE(transport);
      std::vector<std::string> words = extra;
      words.push_back(std::string("transport=") + transport);
      expect_failure(source, scene_.words(words, identity_file), code, said);
    }
  }
};

TEST_F(HelperFailure, UnknownOptionIsNamed) {
  expect_failure_both(scene_.source(), {"no_such_option"}, kUsage, {"no_such_option"});
}

TEST_F(HelperFailure, BadValueIsNamed) {
  expect_failure_both(scene_.source(), {"max_conns=many"}, kUsage, {"max_conns", "many"});
}

TEST_F(HelperFailure, SourceWithoutHostIsRefused) {
  expect_failure_both("/no/host", {}, kUsage, {"/no/host"});
}

TEST_F(HelperFailure, UnknownHostIsNamed) {
  expect_failure_both("root@no-such-host.invalid:/", {}, kMountFailure, {"no-such-host.invalid"});
}

TEST_F(HelperFailure, RefusedPortIsNamed) {
  const std::string port = std::to_string(free_loopback_port());
  expect_failure_both(scene_.source(), {"port=" + port}, kMountFailure, {"127.0.0.1", port});
}

TEST_F(HelperFailure, StrangersKeyIsRefused) {
  const std::string key = scene_.server().make_key("stranger");
  expect_failure_both(scene_.source(), {"IdentitiesOnly=yes"}, kMountFailure,
                      {"127.0.0.1", "publickey"}, key);
}

TEST_F(HelperFailure, UnknownHostKeyIsRefused) {
  const std::string empty = scene_.file("empty_known_hosts");
  std::ofstream{empty};
  expect_failure_both(scene_.source(), {"UserKnownHostsFile=" + empty}, kMountFailure,
                      {"127.0.0.1", "ost key"});
}

TEST_F(HelperFailure, ChangedHostKeyIsRefused) {
  const std::string key = scene_.server().make_key("another_host");
  const std::string file = scene_.file("changed_known_hosts");
  std::ifstream public_key(key + ".pub");
  std::string line;
  std::getline(public_key, line);
  std::ofstream(file) << "[127.0.0.1]:" << scene_.server().port() << " " << line << "\n";
  expect_failure_both(scene_.source(), {"UserKnownHostsFile=" + file}, kMountFailure,
                      {"127.0.0.1", "changed"});
}

TEST_F(HelperFailure, MissingRemoteDirectoryIsNamed) {
  const std::string missing = scene_.server().root() + "/missing";
  expect_failure_both(scene_.server().source(missing), {}, kMountFailure, {missing});
}

TEST_F(HelperFailure, RemoteFileIsNoDirectory) {
  const std::string file = scene_.server().root() + "/file";
  std::ofstream{file};
  expect_failure_both(scene_.server().source(file), {}, kMountFailure, {file});
}

TEST_F(HelperFailure, MissingMountPointIsNamed) {
  const std::string missing = scene_.file("no_mount_point");
  const Outcome outcome =
      scene_.run_here({mount_program(), scene_.source(), missing, "-o", scene_.words()});
  EXPECT_FALSE(outcome.ok());
  EXPECT_NE(outcome.errors.find(missing), std::string::npos) << outcome.describe();
}

}  // namespace
}  // namespace sftpfs::test
