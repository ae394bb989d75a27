// See ctl/fstab_line.h.
#include "ctl/fstab_line.h"

#include <gtest/gtest.h>

namespace sftpfs::ctl {
namespace {

TEST(FstabLine, HasWhatABootNeedsAndTheUsersWords) {
  EXPECT_EQ(fstab_line({"joe@host:/data", "/mnt/data", "ro,port=2222"}),
            "joe@host:/data /mnt/data sftpfs _netdev,nofail,x-systemd.automount,"
            "x-systemd.idle-timeout=10min,x-systemd.mount-timeout=30s,ro,port=2222 0 0\n");
}

TEST(FstabLine, EscapesBlanks) {
  EXPECT_EQ(fstab_escape("a b\tc\\d#e"), "a\\040b\\011c\\134d\\043e");
}

// As systemd-escape --path answers.
TEST(FstabLine, NamesTheUnitAsSystemdDoes) {
  EXPECT_EQ(unit_name("/mnt/data"), "mnt-data");
  EXPECT_EQ(unit_name("/"), "-");
  EXPECT_EQ(unit_name("/mnt/my data"), "mnt-my\\x20data");
  EXPECT_EQ(unit_name("/mnt/a-b"), "mnt-a\\x2db");
  EXPECT_EQ(unit_name("/.hidden/x.y"), "\\x2ehidden-x.y");
}

TEST(FstabLine, PercentSignsOfAUnitAreDoubled) {
  const std::string unit = mount_unit({"host:/50%", "/mnt/x", ""});
  EXPECT_NE(unit.find("What=host:/50%%\n"), std::string::npos);
  EXPECT_NE(unit.find("Options=_netdev\n"), std::string::npos);
}

// A mount of somebody else's, shown to an administrator who keeps what he sees.
TEST(FstabLine, NoNameAddsALine) {
  const std::string unit = mount_unit({"host:/\nExecStart=x", "/mnt/a\nb", ""});
  EXPECT_NE(unit.find("What=host:/\\x0aExecStart=x\n"), std::string::npos);
  EXPECT_EQ(fstab_escape("a\rb\nc"), "a\\015b\\012c");
}

}  // namespace
}  // namespace sftpfs::ctl
