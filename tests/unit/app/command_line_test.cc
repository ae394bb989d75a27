// See app/command_line.h.
#include "app/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/exit_code.h"
#include "app/help.h"

namespace sftpfs::app {
namespace {

using Words = std::vector<const char*>;

std::string error_of(const Words& words) {
  const Result<CommandLine> line = parse_command_line(words);
  return line ? "" : line.error().message();
}

TEST(CommandLine, TheNameDecidesWhoIsCalling) {
  for (const char* name : {"mount.sftpfs", "/sbin/mount.sftpfs", "/usr/sbin/mount.fuse.sftpfs"}) {
    EXPECT_TRUE(called_as_mount_helper(name)) << name;
  }
  for (const char* name : {"sftpfs", "/usr/bin/sftpfs", "", "/mount.d/sftpfs", "umount.sftpfs"}) {
    EXPECT_FALSE(called_as_mount_helper(name)) << name;
  }
}

TEST(CommandLine, ReadsEveryFormThatMountSends) {
  const std::vector<Words> forms = {
      {"/sbin/mount.sftpfs", "h:/d", "/mnt", "-o", "rw"},
      {"/sbin/mount.sftpfs", "h:/d", "/mnt", "-s", "-f", "-n", "-v", "-o", "rw"},
      {"/sbin/mount.sftpfs", "h:/d", "/mnt", "-sfnv", "-o", "rw"},
      {"/sbin/mount.fuse.sftpfs", "h:/d", "/mnt", "-o", "rw", "-t", "fuse.sftpfs"},
      {"/sbin/mount.sftpfs", "-o", "rw", "h:/d", "/mnt"},
      {"/sbin/mount.sftpfs", "h:/d", "-orw", "/mnt"},
      {"/sbin/mount.sftpfs", "h:/d", "/mnt", "-o", "rw", "-o", "noatime"},
      {"/sbin/mount.sftpfs", "-o", "rw", "--", "h:/d", "/mnt"},
      {"/sbin/mount.sftpfs", "h:/d", "/mnt"},
      {"/sbin/mount.sftpfs", "h:/d", "/mnt", "-w"},
  };
  for (const Words& form : forms) {
    const Result<CommandLine> line = parse_command_line(form);
    ASSERT_TRUE(line) << line.error().message();
    EXPECT_EQ(line->action, Action::kMount);
    EXPECT_EQ(line->config.source.text, "h:/d");
    EXPECT_EQ(line->config.mountpoint, "/mnt");
    EXPECT_FALSE(line->config.foreground);
    EXPECT_FALSE(line->config.flags.read_only);
  }
}

TEST(CommandLine, FAndSMeanWhatTheCallerMeans) {
  const Result<CommandLine> helper =
      parse_command_line(Words{"mount.sftpfs", "h:", "/mnt", "-sfv", "-o", "nosuchoption"});
  ASSERT_TRUE(helper) << helper.error().message();
  EXPECT_TRUE(helper->config.fake);
  EXPECT_TRUE(helper->config.sloppy);
  EXPECT_TRUE(helper->config.verbose);
  EXPECT_FALSE(helper->config.foreground);
  EXPECT_EQ(helper->config.workers, 0U);
  EXPECT_EQ(helper->warnings.size(), 1U);

  const Result<CommandLine> plain = parse_command_line(Words{"sftpfs", "-fs", "h:", "/mnt"});
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_TRUE(plain->config.foreground);
  EXPECT_EQ(plain->config.workers, 1U);
  EXPECT_FALSE(plain->config.fake);
  EXPECT_FALSE(plain->config.sloppy);
}

TEST(CommandLine, ReadsTheFlagsOfSshfs) {
  const Result<CommandLine> line = parse_command_line(
      Words{"sftpfs", "-p2222", "-C", "-d", "h:", "-oro,port=3", "/mnt", "-p", "22"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->config.port, 22);
  EXPECT_TRUE(line->config.flags.read_only);
  EXPECT_TRUE(line->config.foreground);
  EXPECT_TRUE(line->config.debug);
  EXPECT_EQ(line->config.log_level, LogLevel::kDebug);
  ASSERT_NE(find_ssh_option(line->config, "Compression"), nullptr);

  const Result<CommandLine> other = parse_command_line(Words{"sftpfs", "-F", "/cfg", "h:", "/mnt"});
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->config.ssh_config_file, "/cfg");
  EXPECT_EQ(other->config.transport, Transport::kAuto);
}

TEST(CommandLine, AHostIsNeededExceptForVsockAndPassive) {
  for (const char* options : {"ro", "directport=4000"}) {
    const Result<CommandLine> line =
        parse_command_line(Words{"sftpfs", ":/d", "/mnt", "-o", options});
    ASSERT_FALSE(line);
    EXPECT_NE(line.error().message().find("empty host name"), std::string::npos);
  }
  for (const char* options : {"vsock=3:22", "passive", "slave"}) {
    EXPECT_TRUE(parse_command_line(Words{"sftpfs", ":/d", "/mnt", "-o", options})) << options;
  }
}

TEST(CommandLine, AddressesInBracketsArriveAsTheyAre) {
  const Result<CommandLine> line =
      parse_command_line(Words{"sftpfs", "[joe@::1]:[dir]", "/mnt/[x]", "-o", "fsname={}"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->config.source.text, "[joe@::1]:[dir]");
  EXPECT_EQ(line->config.source.directory, "[dir]");
  EXPECT_EQ(line->config.mountpoint, "/mnt/[x]");
  EXPECT_EQ(line->config.fsname, "{}");
}

TEST(CommandLine, HelpAndVersionComeBeforeAnyComplaint) {
  for (const char* flag : {"-h", "--help"}) {
    EXPECT_EQ(parse_command_line(Words{"sftpfs", flag})->action, Action::kHelp);
    EXPECT_EQ(parse_command_line(Words{"mount.sftpfs", "x", flag})->action, Action::kHelp);
  }
  for (const char* flag : {"-V", "--version"}) {
    EXPECT_EQ(parse_command_line(Words{"sftpfs", flag, "-o", "bogus"})->action, Action::kVersion);
  }
  EXPECT_EQ(version_text().substr(0, 7), "sftpfs ");
}

TEST(CommandLine, WrongOnesAreRefusedInOneLine) {
  EXPECT_EQ(error_of({}), usage_text());
  EXPECT_EQ(error_of({"sftpfs"}), usage_text());
  EXPECT_EQ(error_of({"sftpfs", "-f"}), "missing source and mount point (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:"}), "missing mount point (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:", ""}), "the mount point is an empty name");
  EXPECT_EQ(error_of({"sftpfs", "h:", "/a", "/b"}),
            "'/b': more than a source and a mount point (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:", "/a", "-x"}), "unknown flag '-x' (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:", "/a", "--foreground"}),
            "unknown flag '--foreground' (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:", "/a", "-:"}), "unknown flag '-:' (see sftpfs -h)");
  EXPECT_EQ(error_of({"sftpfs", "h:", "/a", "-o"}), "flag '-o' needs a value");
  EXPECT_EQ(error_of({"mount.sftpfs", "h:", "/a", "-d"}), "unknown flag '-d' (see sftpfs -h)");
  EXPECT_NE(error_of({"sftpfs", "h:", "/a", "-p", "ssh"}), "");
}

TEST(CommandLine, ASourceThatLooksLikeAFlagStartsNothing) {
  EXPECT_NE(error_of({"mount.sftpfs", "-oProxyCommand=id:/p", "/mnt", "-o", "rw"}), "");
  EXPECT_NE(error_of({"mount.sftpfs", "--", "-oProxyCommand=id:/p", "/mnt"}), "");
}

TEST(CommandLine, TheHelperIsToldWhoseMountNamespaceIsMeant) {
  const Result<CommandLine> line =
      parse_command_line(Words{"mount.sftpfs", "h:", "/a", "-o", "rw", "-N", "/proc/1/fd/3"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->config.mount_namespace, "/proc/1/fd/3");
}

TEST(CommandLine, RemountKeepsToTheMountThatIsThere) {
  const Result<CommandLine> line =
      parse_command_line(Words{"mount.sftpfs", "named by fsname", "/mnt", "-o", "remount,ro"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->action, Action::kRemount);
  EXPECT_EQ(fsname_of(line->config), "named by fsname");
}

TEST(ExitCode, FollowsMount8) {
  EXPECT_EQ(exit_code_for(Error(ErrorCode::kInvalid)), ExitCode::kUsage);
  EXPECT_EQ(exit_code_for(Error(ErrorCode::kCancelled)), ExitCode::kInterrupted);
  EXPECT_EQ(exit_code_for(Error(ErrorCode::kAuthentication)), ExitCode::kMountFailure);
  EXPECT_EQ(exit_code_for(Error::system(ECONNREFUSED, "connect")), ExitCode::kMountFailure);
  EXPECT_EQ(static_cast<int>(ExitCode::kMountFailure), 32);
}

}  // namespace
}  // namespace sftpfs::app
