// -o remount against mounts that serve.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/process.h"

namespace sftpfs::test {
namespace {

class Remount : public testing::Test {
 protected:
  ~Remount() override { server_.resume(); }

  void mount(const std::vector<std::string>& extra) {
    MountOptions options;
    options.extra = extra;
    words_ = join_words(mount_words(server_, options));
    mount_ = std::make_unique<TestMount>(server_, options);
  }
  Outcome remount(const std::string& words) const {
    return remount_source(server_.source(server_.root()), words);
  }
  Outcome remount_source(const std::string& source, const std::string& words) const {
    return run({mount_program(), source, mount_->path(), "-o", "remount," + words}, {},
               std::chrono::seconds(30));
  }
  void on_server(const std::string& name, const std::string& text) const {
    std::ofstream(server_.root() + "/" + name) << text;
  }
  std::uintmax_t size(const std::string& name) const {
    struct stat status {};
    return ::stat(mount_->file(name).c_str(), &status) == 0
               ? static_cast<std::uintmax_t>(status.st_size)
               : 0;
  }
  int names() const {
    const std::filesystem::directory_iterator all(mount_->path());
    return static_cast<int>(std::distance(begin(all), end(all)));
  }

  TestServer server_;
  std::unique_ptr<TestMount> mount_;
  std::string words_;
};

TEST_F(Remount, ShorterLifetimesHoldForWhatIsCachedAlready) {
  on_server("file", "old");
  mount({"dcache_timeout=3600", "attr_timeout=0", "entry_timeout=0"});
  ASSERT_EQ(size("file"), 3U);
  ASSERT_EQ(names(), 1);
  on_server("file", "newer");
  on_server("second", "");
  ASSERT_EQ(size("file"), 3U) << "not cached";
  ASSERT_EQ(names(), 1) << "not cached";
  const Outcome done = remount("dcache_timeout=0");
  ASSERT_TRUE(done.ok()) << done.describe();
  EXPECT_EQ(size("file"), 5U);
  EXPECT_EQ(names(), 2);
  on_server("file", "newest");
  EXPECT_EQ(size("file"), 6U);
}

TEST_F(Remount, LongerLifetimesHoldFromThenOn) {
  on_server("file", "old");
  mount({"dcache_timeout=0", "attr_timeout=0", "entry_timeout=3600"});
  ASSERT_EQ(size("file"), 3U);
  const Outcome done = remount("dcache_timeout=3600");
  ASSERT_TRUE(done.ok()) << done.describe();
  on_server("file", "newer");
  ASSERT_EQ(size("file"), 5U);
  on_server("file", "newest");
  EXPECT_EQ(size("file"), 5U);
}

TEST_F(Remount, AHardMountOfASilentServerIsMadeSoft) {
  mount({"attr_timeout=0", "entry_timeout=0", "dcache_timeout=0"});
  server_.stop();
  const Outcome done = remount("soft,timeo=0.5");
  ASSERT_TRUE(done.ok()) << done.describe();
  struct stat status {};
  EXPECT_NE(::stat(mount_->file("file").c_str(), &status), 0);
  EXPECT_EQ(errno, ETIMEDOUT);
  server_.resume();
}

TEST_F(Remount, WhatCannotChangeIsRefusedAndNothingElseIsDone) {
  mount({"acmin=5"});
  const Outcome refused = remount("ro,log_level=debug,max_conns=9");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("option 'max_conns=9' cannot change while it is mounted"),
            std::string::npos)
      << refused.describe();
  const Outcome nonsense = remount("ro,acmax=3");
  EXPECT_EQ(nonsense.exit_code, 1);
  EXPECT_NE(nonsense.errors.find("acmin=5 is more than acmax=3"), std::string::npos)
      << nonsense.describe();
  EXPECT_EQ(mount_at(mount_->path())->options.substr(0, 3), "rw,");
  EXPECT_EQ(mount_->log().find("remounted"), std::string::npos);
}

TEST_F(Remount, TheWholeLineOfFstabMayBeSaidAgain) {
  mount({"acmin=5"});
  const Outcome done = remount(words_ + ",ro,log_level=debug");
  ASSERT_TRUE(done.ok()) << done.describe();
  EXPECT_EQ(mount_at(mount_->path())->options.substr(0, 3), "ro,");
  EXPECT_NE(mount_->log().find("remounted with"), std::string::npos);
  const Outcome back = remount(words_ + ",rw");
  ASSERT_TRUE(back.ok()) << back.describe();
  EXPECT_EQ(mount_at(mount_->path())->options.substr(0, 3), "rw,");
}

TEST_F(Remount, FlagsAloneDoNotNeedTheProcess) {
  mount({});
  const UniqueFd pidfd = open_pidfd(mount_->daemon_pid());
  mount_->send_signal(SIGKILL);
  if (pidfd) {
    ASSERT_TRUE(wait_exit(pidfd.get(), Deadline(std::chrono::seconds(10))));
  }
  const Outcome flags = remount(words_ + ",ro");
  EXPECT_TRUE(flags.ok()) << flags.describe();
  EXPECT_NE(flags.errors.find("only the flags are changed"), std::string::npos);
  EXPECT_EQ(mount_at(mount_->path())->options.substr(0, 3), "ro,");
  const Outcome refused = remount("acmax=60");
  EXPECT_EQ(refused.exit_code, 32);
  EXPECT_NE(refused.errors.find("has ended without unmounting"), std::string::npos)
      << refused.describe();
  EXPECT_TRUE(run({"umount", mount_->path()}).ok());
  EXPECT_EQ(mount_->wait_gone(), "");
}

TEST_F(Remount, AnotherSourceIsNotWhatIsMountedThere) {
  mount({});
  const Outcome refused = remount_source("joe@elsewhere:/", "acmax=60");
  EXPECT_EQ(refused.exit_code, 32);
  EXPECT_NE(refused.errors.find("is mounted there, not joe@elsewhere:/"), std::string::npos)
      << refused.describe();
}

TEST_F(Remount, WritesWaitForTheServerFromThenOn) {
  mount({});
  std::ofstream file(mount_->file("file"));
  const Outcome done = remount("durability=write");
  ASSERT_TRUE(done.ok()) << done.describe();
  file << "text" << std::flush;
  EXPECT_EQ(std::filesystem::file_size(server_.root() + "/file"), 4U);
}

}  // namespace
}  // namespace sftpfs::test
