// Torture: a server and a mount for programmes that look for wrong bytes, and for how long.
//
// Ownership: one server and one mount for each test.
// Threads:   one thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "support/process.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

class Torture : public testing::Test {
 protected:
  // SFTPFS_TORTURE_SECONDS, or a few in CI.
  static int seconds() {
    const char* text = std::getenv("SFTPFS_TORTURE_SECONDS");
    return text == nullptr ? 8 : std::max(1, std::atoi(text));
  }
  static std::string seconds_text() { return std::to_string(seconds()); }

  // On the mount, which goes on working whatever happens in it.
  Outcome must_run(const Arguments& arguments, const std::string& directory = {}) {
    ProcessOptions options;
    options.directory = directory.empty() ? mount_.path() : directory;
    const auto patience = std::chrono::seconds(120 + 20 * seconds());
    Outcome outcome = run(arguments, options, patience);
    EXPECT_TRUE(outcome.ok()) << arguments[0] << ": " << outcome.describe();
    return outcome;
  }

  // Four jobs that write blocks with checksums and read them back, of `how`, over and over.
  // (verify_backlog is left out: with blocks that overlap, fio disbelieves itself on any disk.)
  void fio(const Arguments& how) {
    Arguments arguments = {"fio",
                           "--name=verify",
                           "--directory=" + mount_.path(),
                           "--size=8M",
                           "--numjobs=4",
                           "--verify=crc32c",
                           "--verify_fatal=1",
                           "--fallocate=none",
                           "--loops=" + std::to_string(std::max(2, seconds() / 3))};
    arguments.insert(arguments.end(), how.begin(), how.end());
    must_run(arguments, server_.file(""));
  }

  TestServer server_;
  TestMount mount_{server_};
};

}  // namespace sftpfs::test
