// A mount whose server is gone can be ended in every way, in bounded time, and says what was lost.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/process_table.h"
#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

// umount_timeout of these mounts, and when all must be over.
constexpr const char* kUmountTimeout = "umount_timeout=2";
constexpr milliseconds kEndLimit{12'000};
constexpr std::chrono::seconds kSoon{15};
constexpr int kLookAgainMs = 2;
constexpr std::size_t kLostSize = 1 << 20;
constexpr int kMountFailure = 32;  // of mount(8)'s exit codes

class Umount : public testing::TestWithParam<MountConfig> {
 protected:
  Umount() : scene_({GetParam(), words()}) {}
  static std::vector<std::string> words() {
    std::vector<std::string> words = lasting_names();
    words.emplace_back(kUmountTimeout);
    return words;
  }

  // A child that writes to `name`, says so, and closes: then only the mount has what it has
  // written.
  OperationChild writer(const std::string& name) const {
    write_file(scene_.on_server(name), "");
    const auto fd = std::make_shared<int>(-1);
    Operation operation;
    operation.name = name;
    operation.prepare = [fd, path = scene_.on_mount(name)] {
      *fd = must(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open " + path);
    };
    operation.act = [fd, written = written_mark(name)] {
      const std::string text(kLostSize, 'x');
      if (::write(*fd, text.data(), text.size()) != static_cast<long>(text.size())) return ENODATA;
      write_file(written, "");
      return error_of(::close(*fd));
    };
    return OperationChild(std::move(operation));
  }
  std::string written_mark(const std::string& name) const { return local_.file(name); }
  // Lets it write and ends it while it closes.
  void kill_in_close(OperationChild& child) const {
    child.go();
    const Deadline deadline(kSoon);
    while (!std::filesystem::exists(written_mark(child.name())) && !deadline.passed()) {
      if (child.wait_gone(Deadline(milliseconds(kLookAgainMs)))) break;
    }
    EXPECT_TRUE(child.wait_blocked(deadline)) << child.name();
    child.signal(SIGKILL);
    EXPECT_TRUE(child.wait_gone(deadline)) << child.name();
  }
  // The server is gone, two files were written and closed by processes that were then killed.
  void leave_unsent_data() {
    OperationChild first = writer("lost_one");
    OperationChild second = writer("lost_two");
    scene_.strike(FaultKind::kBlackHole);
    kill_in_close(first);
    kill_in_close(second);
  }
  void expect_loss_reported() {
    const std::string log = scene_.mount().log();
    EXPECT_NE(log.find("lost_one"), std::string::npos) << log;
    EXPECT_NE(log.find("lost_two"), std::string::npos) << log;
    const auto outcome = scene_.mount().outcome();
    ASSERT_TRUE(outcome) << log;
    EXPECT_EQ(outcome->exit_code, kMountFailure) << outcome->describe();
  }

  FaultScene scene_;
  TempDir local_;
};
// Nothing is believed for any time.
class UmountOfForgetful : public testing::TestWithParam<MountConfig> {
 protected:
  FaultScene scene_{
      {GetParam(), {kUmountTimeout, "attr_timeout=0", "entry_timeout=0", "dcache_timeout=0"}}};
};
INSTANTIATE_TEST_SUITE_P(Mounts, UmountOfForgetful, testing::ValuesIn(fault_configs()),
                         ConfigName());
INSTANTIATE_TEST_SUITE_P(Mounts, Umount, testing::ValuesIn(fault_configs()), ConfigName());

TEST_P(Umount, PlainUmountEndsInTimeAndNamesWhatWasLost) {
  leave_unsent_data();
  must(::umount2(scene_.mount().path().c_str(), 0), "umount2");
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  expect_loss_reported();
}

TEST_P(Umount, PlainUmountLosesNothingWhenTheServerComesBackInTime) {
  OperationChild child = writer("kept");
  scene_.strike(FaultKind::kBlackHole);
  kill_in_close(child);
  must(::umount2(scene_.mount().path().c_str(), 0), "umount2");
  scene_.relay().heal();
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  const auto outcome = scene_.mount().outcome();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->ok()) << outcome->describe();
  EXPECT_EQ(read_file(scene_.on_server("kept")), std::string(kLostSize, 'x'));
}

TEST_P(Umount, ForcedUmountEndsWhoeverWaitsAndNamesWhatWasLost) {
  OperationChild reader(make_operation(scene_, "read", 1));
  leave_unsent_data();
  reader.go();
  EXPECT_TRUE(reader.wait_blocked(Deadline(kSoon)));
  // Busy, says the kernel to the first; but it has ended all that waited.
  run({"umount", "-f", scene_.mount().path()});
  const auto result = reader.wait_result(Deadline(kSoon));
  ASSERT_TRUE(result) << "state " << process_state(reader.pid());
  EXPECT_NE(result->error, 0);
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  expect_loss_reported();
}

TEST_P(Umount, LazyUmountDetachesAtOnceAndEndsWithItsLastUser) {
  OperationChild reader(make_operation(scene_, "read", 1));
  leave_unsent_data();
  reader.go();
  EXPECT_TRUE(reader.wait_blocked(Deadline(kSoon)));
  EXPECT_EQ(run({"umount", "-l", scene_.mount().path()}).exit_code, 0);
  EXPECT_FALSE(mount_at(scene_.mount().path()));
  reader.signal(SIGKILL);
  EXPECT_TRUE(reader.wait_gone(Deadline(kSoon)));
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  expect_loss_reported();
}

TEST_P(Umount, SigtermEndsTheMountAndNamesWhatWasLost) {
  OperationChild reader(make_operation(scene_, "read", 1));
  leave_unsent_data();
  reader.go();
  EXPECT_TRUE(reader.wait_blocked(Deadline(kSoon)));
  scene_.mount().send_signal(SIGTERM);
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  const auto result = reader.wait_result(Deadline(kSoon));
  ASSERT_TRUE(result) << "state " << process_state(reader.pid());
  EXPECT_NE(result->error, 0);
  expect_loss_reported();
}

// umount(8) asks for the kind of the file system (statfs) before it does its work.
TEST_P(Umount, TheProgrammeUmountIsNotHeldUpByADeadServer) {
  EXPECT_TRUE(scene_.wait_answer(kPatience));
  scene_.strike(FaultKind::kBlackHole);
  const Outcome outcome = run({"umount", scene_.mount().path()}, {}, kEndLimit);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.describe();
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
}

// It also looks at the mounted directory, of which nothing need be believed any more by then.
TEST_P(UmountOfForgetful, TheProgrammeUmountIsNotHeldUpByADeadServer) {
  EXPECT_TRUE(scene_.wait_answer(kPatience));
  scene_.strike(FaultKind::kBlackHole);
  const Outcome outcome = run({"umount", scene_.mount().path()}, {}, kEndLimit);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.describe();
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
}

// Everything else than the mounted directory is waited for.
TEST_P(UmountOfForgetful, OnlyTheMountedDirectoryIsShownAsItWasKnownLast) {
  EXPECT_TRUE(scene_.wait_answer(kPatience));
  std::filesystem::create_directory(scene_.on_mount("below"));
  scene_.strike(FaultKind::kBlackHole);
  struct stat status {};
  EXPECT_EQ(::stat(scene_.mount().path().c_str(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  const Outcome waits = run({"stat", scene_.on_mount("below")}, {}, std::chrono::seconds(7));
  EXPECT_TRUE(waits.timed_out) << waits.describe();
  EXPECT_EQ(run({"umount", "-f", scene_.mount().path()}, {}, kEndLimit).exit_code, 0);
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
}

TEST_P(Umount, NothingIsReportedAndNobodyWaitsWhenNothingIsUnsent) {
  EXPECT_TRUE(scene_.wait_answer(kPatience));
  scene_.strike(FaultKind::kBlackHole);
  const auto begin = Deadline::Clock::now();
  must(::umount2(scene_.mount().path().c_str(), 0), "umount2");
  EXPECT_EQ(scene_.mount().wait_gone(kEndLimit), "") << scene_.mount().log();
  const auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
  std::printf("unmounted after %ld ms\n", static_cast<long>(took.count()));
  const auto outcome = scene_.mount().outcome();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->ok()) << outcome->describe();
}

}  // namespace
}  // namespace sftpfs::test
