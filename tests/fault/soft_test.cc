// soft,timeo=S: whoever waits gets ETIMEDOUT after S, and everything works when the server is back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <list>
#include <memory>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/process.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeo{2000};
constexpr milliseconds kMuchLonger{15'000};
constexpr std::size_t kAcceptedSize = 1 << 20;

class Soft : public testing::TestWithParam<MountConfig> {
 protected:
  Soft() : scene_({GetParam(), words()}) {}
  static std::vector<std::string> words() {
    std::vector<std::string> words = lasting_names();
    words.insert(words.end(), {"soft", "timeo=2"});
    return words;
  }
  void heal() {
    scene_.relay().cut(CutMode::kReset);
    scene_.relay().heal();
    EXPECT_TRUE(answers_again()) << scene_.mount().log();
  }
  // Soft questions may time out once more until there is a connection.
  bool answers_again() {
    const Deadline deadline(kPatience);
    while (!deadline.passed()) {
      if (scene_.wait_answer(kPatience)) return true;
    }
    return false;
  }
  // What a child that writes, loses the server and then acts as told, gets from it.
  std::optional<OperationResult> after_accepted_writes(int (*act)(int fd));

  FaultScene scene_;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Soft, testing::ValuesIn(fault_configs()), ConfigName());

// A programme has no errno, a page that cannot be read is a signal, and statfs answers in any case.
bool says_errno(const std::string& name) {
  return name != "df" && name != "map" && name != "statfs";
}

TEST_P(Soft, EveryOperationTimesOutAndWorksAgainAfterHealing) {
  std::list<OperationChild> children;
  for (const std::string& name : operation_names()) {
    if (says_errno(name)) children.emplace_back(make_operation(scene_, name, 1));
  }
  scene_.strike(FaultKind::kBlackHole);
  for (OperationChild& child : children) child.go();
  for (OperationChild& child : children) {
    const auto result = child.wait_result(Deadline(kMuchLonger));
    EXPECT_TRUE(result) << child.name() << ", state " << process_state(child.pid()) << "\n"
                        << kernel_stack(child.pid());
    if (!result) continue;
    EXPECT_EQ(result->error, ETIMEDOUT) << child.name();
    EXPECT_GE(result->elapsed, kTimeo - milliseconds(100)) << child.name();
    std::printf("%s: %ld ms\n", child.name().c_str(), static_cast<long>(result->elapsed.count()));
  }
  heal();
  for (const std::string& name : operation_names()) {
    if (!says_errno(name)) continue;
    OperationChild again(make_operation(scene_, name, 2));
    again.go();
    const auto result = again.wait_result(Deadline(kPatience));
    ASSERT_TRUE(result) << name;
    EXPECT_EQ(result->error, 0) << name;
  }
}

std::optional<OperationResult> Soft::after_accepted_writes(int (*act)(int fd)) {
  const std::string path = scene_.on_mount("accepted");
  write_file(scene_.on_server("accepted"), "");
  const auto fd = std::make_shared<int>(-1);
  Operation operation;
  operation.name = "accepted writes";
  operation.prepare = [fd, path] {
    *fd = must(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open " + path);
  };
  operation.act = [fd, act] {
    const std::string text(kAcceptedSize, 'x');
    const long written = ::write(*fd, text.data(), text.size());
    // Accepted: the caller has been told that all is well.
    if (written != static_cast<long>(text.size())) return ENODATA;
    return act(*fd);
  };
  OperationChild child(std::move(operation));
  scene_.strike(FaultKind::kBlackHole);
  child.go();
  return child.wait_result(Deadline(kMuchLonger));
}

TEST_P(Soft, AcceptedWritesThatAreNotDeliveredAreReportedByFsync) {
  const auto result = after_accepted_writes([](int fd) { return error_of(::fsync(fd)); });
  ASSERT_TRUE(result) << scene_.mount().log();
  EXPECT_EQ(result->error, ETIMEDOUT);
  heal();
}

TEST_P(Soft, AcceptedWritesThatAreNotDeliveredAreReportedByClose) {
  const auto result = after_accepted_writes([](int fd) { return error_of(::close(fd)); });
  ASSERT_TRUE(result) << scene_.mount().log();
  EXPECT_EQ(result->error, ETIMEDOUT);
  heal();
}

}  // namespace
}  // namespace sftpfs::test
