// The mount programme is killed: the mount point then says so, and never shows or takes local
// files.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::seconds kSoon{15};
constexpr std::size_t kSyncedSize = 3 << 20;

class Crash : public testing::TestWithParam<MountConfig> {
 protected:
  Crash() : scene_({GetParam(), {}, true}) { write_file(scene_.on_server("file"), "text\n"); }

  void kill_daemon() {
    const UniqueFd pidfd = open_pidfd(scene_.mount().daemon_pid());
    scene_.mount().send_signal(SIGKILL);
    EXPECT_TRUE(!pidfd || wait_exit(pidfd.get(), Deadline(kSoon)));
  }
  // Over the dead mount, of which nothing is left below afterwards.
  void expect_mountable_again() {
    MountOptions options = scene_.mount_options();
    options.mount_point = scene_.mount().path();
    {
      TestMount again(scene_.server(), options);
      EXPECT_EQ(run({"cat", again.file("file")}).output, "text\n");
      EXPECT_EQ(again.unmount(), "");
    }
    EXPECT_EQ(scene_.mount().wait_gone(), "");
  }
  void end_dead_mount() {
    EXPECT_EQ(run({"umount", scene_.mount().path()}).exit_code, 0);
    EXPECT_EQ(scene_.mount().wait_gone(), "");
  }

  FaultScene scene_;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Crash, testing::ValuesIn(fault_configs()), ConfigName());

// One line for each call that does not fail with ENOTCONN; in a child, as it might block.
std::string calls_on_dead_mount(const std::string& top) {
  std::string wrong;
  const auto expect = [&wrong](const char* what, long result) {
    if (result < 0 && errno == ENOTCONN) return;
    wrong += std::string(what) + ": " + (result < 0 ? std::strerror(errno) : "works") + "\n";
  };
  struct stat attributes {};
  struct statvfs space {};
  expect("stat", ::stat(top.c_str(), &attributes));
  expect("statvfs", ::statvfs(top.c_str(), &space));
  expect("opendir", ::opendir(top.c_str()) == nullptr ? -1 : 0);
  expect("stat of a file", ::stat((top + "/file").c_str(), &attributes));
  expect("create", ::open((top + "/new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  expect("mkdir", ::mkdir((top + "/dir").c_str(), 0755));
  return wrong;
}

TEST_P(Crash, TheMountPointAnswersENOTCONN) {
  kill_daemon();
  const std::string top = scene_.mount().path();
  EXPECT_EQ(run_in_child([top] { return calls_on_dead_mount(top); }), "");
  end_dead_mount();
  EXPECT_TRUE(std::filesystem::is_empty(top)) << "something was written to the local directory";
}

TEST_P(Crash, WhoWaitsGetsAnErrorAndNotAnEmptyFile) {
  write_file(scene_.on_server("long"), noise(1 << 20, fault_seed()));
  const auto fd = std::make_shared<int>(-1);
  Operation operation;
  operation.name = "open file";
  operation.prepare = [fd, path = scene_.on_mount("long")] {
    *fd = must(::open(path.c_str(), O_RDWR | O_CLOEXEC), "open " + path);
  };
  operation.act = [fd] {
    const char byte = 'x';
    const int error = error_of(::pwrite(*fd, &byte, 1, 0));
    return error != 0 ? error : error_of(::fsync(*fd));
  };
  {
    OperationChild child(std::move(operation));
    kill_daemon();
    child.go();
    const auto result = child.wait_result(Deadline(kSoon));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->error, ENOTCONN);
  }
  end_dead_mount();
}

TEST_P(Crash, MountingAgainOverTheDeadMountWorks) {
  kill_daemon();
  expect_mountable_again();
}

// Attributes that the kernel still knows make a dead mount look alive.
TEST_P(Crash, MountingAgainWorksWhileTheKernelKnowsAttributes) {
  scene_.mount_again({"attr_timeout=600", "entry_timeout=600"});
  EXPECT_EQ(run({"stat", scene_.mount().path()}).exit_code, 0);
  kill_daemon();
  expect_mountable_again();
}

TEST_P(Crash, WhatWasSyncedIsOnTheServer) {
  const std::string text = noise(kSyncedSize, fault_seed());
  Operation operation;
  operation.name = "writer";
  operation.act = [&text, path = scene_.on_mount("synced")] {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (::write(fd, text.data(), text.size()) != static_cast<long>(text.size())) return errno;
    return error_of(::fsync(fd));
  };
  {
    OperationChild child(std::move(operation));
    child.go();
    const auto result = child.wait_result(Deadline(kPatience));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->error, 0);
    kill_daemon();
  }
  EXPECT_TRUE(read_file(scene_.on_server("synced")) == text);
  end_dead_mount();
}

}  // namespace
}  // namespace sftpfs::test
