// ParityTest: runs a case on a local directory and on the mount and compares the transcripts.
//
//   POSIX_SUITE(Rename, every_mount());
//   POSIX_CASE(Rename, MissingSourceIsEnoent) {
//     scene.call("rename", ::rename(scene.path("a").c_str(), scene.path("b").c_str()));
//   }
//
// Ownership: one server and one mount per configuration live for the whole run of the programme.
// Threads:   one thread.
// Limits:    the local directory lies beside the server's, so on the same file system.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "posix/scene.h"
#include "support/mount_config.h"

namespace sftpfs::test {

// For cases that every mount must pass: all_configs(), a private mount of each transport, and one
// with durability=fsync.
std::vector<MountConfig> every_mount();
// The same without the last, for what a server's disk says unforeseen: durability=fsync tells of it
// at the next fsync, as tests/integration/durability_test.cc shows.
std::vector<MountConfig> every_waiting_mount();
// For cases that need no extension of the protocol: those, and one of a server that has none.
std::vector<MountConfig> every_server();
// For cases about permissions: mounts where the kernel checks them for every user.
inline std::vector<MountConfig> shared_mounts() { return all_configs(); }

class ParityTest : public testing::TestWithParam<MountConfig> {
 protected:
  using Case = void (*)(Scene&);
  void compare(Case body);
};

}  // namespace sftpfs::test

#define POSIX_SUITE(suite, mounts)                    \
  class suite : public ::sftpfs::test::ParityTest {}; \
  INSTANTIATE_TEST_SUITE_P(Mounts, suite, testing::ValuesIn(mounts), ::sftpfs::test::ConfigName())

#define POSIX_CASE(suite, name)                             \
  static void suite##_##name(::sftpfs::test::Scene& scene); \
  TEST_P(suite, name) { compare(&suite##_##name); }         \
  static void suite##_##name(::sftpfs::test::Scene& scene)
