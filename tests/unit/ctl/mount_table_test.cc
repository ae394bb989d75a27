// See ctl/mount_table.h.
#include "ctl/mount_table.h"

#include <gtest/gtest.h>

namespace sftpfs::ctl {
namespace {

constexpr std::string_view kTable =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "36 35 98:0 /mnt1 /mnt/two\\040words rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw\n"
    "40 27 0:40 / /mnt/auto rw - autofs systemd-1 rw,fd=49\n"
    "41 40 0:41 / /mnt/auto rw,nosuid - fuse.sftpfs joe@host:/a\\134b rw,user_id=0\n"
    "this line is broken\n"
    "44 27 0:44 / relative rw - tmpfs tmpfs rw\n"
    "42 27 0:42 / /short rw -\n"
    "43 27 0:43 / /tail rw - tmpfs tmpfs rw";

TEST(MountTable, DecodesNamesAndSkipsOptionalFields) {
  const std::vector<MountEntry> table = parse_mountinfo(kTable);
  ASSERT_EQ(table.size(), 5U);
  EXPECT_EQ(table[1],
            (MountEntry{"/mnt/two words", "ext3", "/dev/root", "98:0", "rw,noatime", "rw"}));
  EXPECT_EQ(table[3], (MountEntry{"/mnt/auto", "fuse.sftpfs", "joe@host:/a\\b", "0:41", "rw,nosuid",
                                  "rw,user_id=0"}));
  EXPECT_EQ(table[4].directory, "/tail");
}

TEST(MountTable, TheLatestMountIsTheOneOnTop) {
  const std::vector<MountEntry> table = parse_mountinfo(kTable);
  ASSERT_TRUE(find_mount(table, "/mnt/auto"));
  EXPECT_EQ(find_mount(table, "/mnt/auto")->type, "fuse.sftpfs");
  EXPECT_FALSE(find_mount(table, "/mnt"));
  EXPECT_FALSE(find_mount(table, "/mnt/auto/"));
}

TEST(MountTable, APathBelongsToTheInnermostMount) {
  const std::vector<MountEntry> table = parse_mountinfo(kTable);
  ASSERT_TRUE(find_mount_of(table, "/mnt/auto/a/b"));
  EXPECT_EQ(find_mount_of(table, "/mnt/auto/a/b")->device, "0:41");
  EXPECT_EQ(find_mount_of(table, "/tail/x")->directory, "/tail");
  EXPECT_FALSE(find_mount_of(table, "/elsewhere"));
  EXPECT_FALSE(find_mount_of(table, "relative"));
}

TEST(MountTable, ReadsTheTableOfThisProcess) {
  const Result<std::vector<MountEntry>> table = read_mount_table();
  ASSERT_TRUE(table);
  EXPECT_TRUE(find_mount(*table, "/"));
}

}  // namespace
}  // namespace sftpfs::ctl
