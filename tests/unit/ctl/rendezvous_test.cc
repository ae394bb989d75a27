// See ctl/rendezvous.h.
#include "ctl/rendezvous.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ctl/client.h"
#include "support/temp_dir.h"

namespace sftpfs::ctl {
namespace {

TEST(Rendezvous, NamesASocketByTheDeviceNumber) { EXPECT_EQ(socket_name("0:56"), "0-56.sock"); }

TEST(Rendezvous, FindsSocketsAndNothingElse) {
  const test::TempDir directory;
  std::ofstream{directory.file("0-1.sock")};
  std::ofstream{directory.file("notes")};
  EXPECT_EQ(find_sockets({directory.path(), directory.file("missing")}),
            std::vector<std::string>{directory.file("0-1.sock")});
}

TEST(Rendezvous, APathBecomesAbsoluteByItsNameAlone) {
  EXPECT_EQ(absolute_path("/mnt/x/../y/./"), "/mnt/y");
  EXPECT_EQ(absolute_path("/"), "/");
  EXPECT_TRUE(absolute_path("here").starts_with("/"));
}

TEST(Rendezvous, WhatIsInNoMountOfOursHasNoSocket) {
  EXPECT_FALSE(socket_for("/proc/self"));
  EXPECT_FALSE(socket_for("/no/such/path"));
}

}  // namespace
}  // namespace sftpfs::ctl
