// Process, run_in_child, kill_tree and TempDir: what everything else in the harness rests on.
#include "support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/containment.h"
#include "support/mounts.h"
#include "support/process_table.h"
#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::seconds kSoon{5};

TEST(Process, GivesExitCodeAndBothOutputs) {
  const Outcome outcome =
      run({"sh", "-c", "cat; echo oops >&2; exit 3"}, {{}, {}, "hello", {}, {}});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.output, "hello");
  EXPECT_EQ(outcome.errors, "oops\n");
}

TEST(Process, PassesArgumentsWithoutAShell) {
  EXPECT_EQ(run({"printf", "%s", "$HOME; a b"}).output, "$HOME; a b");
}

TEST(Process, SaysWhenTheProgrammeDoesNotExist) {
  const Outcome outcome = run({"/no/such/programme"});
  EXPECT_EQ(outcome.exit_code, kExecFailed);
  EXPECT_NE(outcome.errors.find("/no/such/programme"), std::string::npos);
}

TEST(Process, AddsAndRemovesEnvironment) {
  ProcessOptions options;
  options.environment = {"SFTPFS_A=1", "HOME"};
  EXPECT_EQ(run({"sh", "-c", "echo $SFTPFS_A-${HOME-none}"}, options).output, "1-none\n");
}

TEST(Process, IsKilledWhenItDoesNotEndInTime) {
  const Outcome outcome = run({"sleep", "60"}, {}, std::chrono::milliseconds(50));
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.signal, SIGKILL);
}

TEST(Process, IsKilledByItsDestructor) {
  UniqueFd pidfd;
  {
    const Process sleeper({"sleep", "60"});
    pidfd = open_pidfd(sleeper.pid());
    EXPECT_TRUE(sleeper.running());
  }
  EXPECT_TRUE(wait_exit(pidfd.get(), Deadline(kSoon)));
}

TEST(Process, ChildReturnsItsText) {
  EXPECT_EQ(run_in_child([] { return std::string("from ") + "child"; }), "from child");
  EXPECT_THROW(run_in_child([]() -> std::string { throw TestError("broken"); }), TestError);
}

TEST(ProcessTable, KillTreeReachesGrandchildrenInSessionsOfTheirOwn) {
  ProcessOptions options;
  options.environment = {"SFTPFS_TEST_TREE=" + std::to_string(::getpid())};
  Process root({"sh", "-c", "setsid sh -c 'sleep 60 & wait' & sleep 60 & echo up; wait"}, options);
  const Deadline deadline{kSoon};
  while (processes_with_environment(options.environment[0]).size() < 4 && !deadline.passed()) {
    wait_exit(root.pidfd(), Deadline(std::chrono::milliseconds(1)));
  }
  kill_tree(root.pid(), deadline);
  EXPECT_TRUE(wait_environment_gone(options.environment[0], deadline).empty());
}

TEST(TempDir, IsRemovedWithEverythingInIt) {
  std::string path;
  {
    const TempDir directory;
    path = directory.path();
    const std::string deep = directory.make_dir("a") + "/b";
    ASSERT_EQ(::mkdir(deep.c_str(), 0000), 0);
    ASSERT_EQ(::symlink("/etc", directory.file("link").c_str()), 0);
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(::access("/etc", F_OK), 0);
}

TEST(TempDir, IsRemovedWhenItIsDeeperThanAnyPath) {
  std::string path;
  {
    const TempDir directory;
    path = directory.path();
    UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::string name(200, 'd');
    for (int depth = 0; depth < 30; ++depth) {
      ASSERT_EQ(::mkdirat(dir.get(), name.c_str(), 0755), 0);
      dir.reset(::openat(dir.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(TempDir, DetachesMountsInsteadOfEmptyingThem) {
  if (!in_private_namespaces()) return;  // only there may a test mount
  const TempDir outside;
  const std::string kept = outside.make_dir("kept");
  std::string mount_point;
  {
    const TempDir directory;
    mount_point = directory.make_dir("mnt");
    ASSERT_EQ(::mount(outside.path().c_str(), mount_point.c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_TRUE(wait_mounted(mount_point, Deadline(kSoon)));
  }
  EXPECT_FALSE(mount_at(mount_point));
  EXPECT_EQ(::access(kept.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace sftpfs::test
