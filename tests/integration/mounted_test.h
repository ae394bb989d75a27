// MountedTest: the fixture of most integration tests, a server and a mount of one configuration.
//
//   class Tree : public MountedTest {};
//   INSTANTIATE_ON_ALL_MOUNTS(Tree);
//   TEST_P(Tree, SurvivesTar) { ... mount_->path() ... server_.root() ... }
//
// Ownership: one server and one mount for each test.
// Threads:   one thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/mount_config.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

class MountedTest : public testing::TestWithParam<MountConfig> {
 protected:
  void SetUp() override { mount_again(); }

  // Unmounts and mounts anew, so that nothing is cached any more.
  void mount_again(const std::vector<std::string>& extra = {}) {
    mount_.reset();
    MountOptions options;
    options.config = GetParam();
    options.extra = extra;
    mount_ = std::make_unique<TestMount>(server_, options);
  }

  TestServer server_;
  std::unique_ptr<TestMount> mount_;
};

// Runs a programme that must succeed.
inline Outcome must_run(const Arguments& arguments, const ProcessOptions& options = {},
                        std::chrono::milliseconds timeout = std::chrono::minutes(4)) {
  Outcome outcome = run(arguments, options, timeout);
  EXPECT_TRUE(outcome.ok()) << arguments[0] << ": " << outcome.describe();
  return outcome;
}

}  // namespace sftpfs::test

#define INSTANTIATE_ON_ALL_MOUNTS(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(Mounts, suite, testing::ValuesIn(::sftpfs::test::all_configs()), \
                           ::sftpfs::test::ConfigName())
