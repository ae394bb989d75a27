// The server shows another host key after an outage: it is not trusted, and the mount waits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kSoon{30};
// Long enough for several attempts to connect.
constexpr milliseconds kStillWaiting{2000};

class HostKey : public testing::TestWithParam<MountConfig> {
 protected:
  HostKey() : scene_({GetParam(), lasting_names()}) {}

  void restart_with_another_key() {
    scene_.server().kill_all();
    scene_.server().change_host_key();
    scene_.server().start_again();
  }
  void restart_with_the_old_key() {
    scene_.server().kill_all();
    scene_.server().restore_host_key();
    scene_.server().start_again();
  }

  FaultScene scene_;
};
INSTANTIATE_TEST_SUITE_P(Mounts, HostKey, testing::ValuesIn(fault_configs()), ConfigName());

TEST_P(HostKey, AnotherKeyIsRefusedUntilTheOldOneIsBack) {
  OperationChild open_file(make_operation(scene_, "read", 1));
  OperationChild name(make_operation(scene_, "stat", 1));
  restart_with_another_key();
  open_file.go();
  name.go();
  EXPECT_TRUE(scene_.wait_log("host key", Deadline(kSoon))) << scene_.mount().log();
  EXPECT_FALSE(name.wait_result(Deadline(kStillWaiting))) << scene_.mount().log();
  EXPECT_EQ(scene_.server().log().find("Accepted publickey"), std::string::npos)
      << "the mount has logged in to a server it must not trust";
  restart_with_the_old_key();
  for (OperationChild* child : {&open_file, &name}) {
    const auto result = child->wait_result(Deadline(kPatience));
    ASSERT_TRUE(result) << child->name() << "\n" << scene_.mount().log();
    EXPECT_EQ(result->error, 0) << child->name();
  }
}

}  // namespace
}  // namespace sftpfs::test
