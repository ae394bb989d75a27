// See app/process_setup.h. Each in a child: it changes the whole process.
#include "app/process_setup.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "unit/app/child_process.h"

namespace sftpfs::app {
namespace {

TEST(ProcessSetup, AHardenedProcessLeavesNoCoreAndStillSeesItself) {
  ChildProcess child([](const ChildSide&) {
    if (!harden_process()) return 1;
    rlimit cores{};
    ::getrlimit(RLIMIT_CORE, &cores);
    if (cores.rlim_max != 0 || ::prctl(PR_GET_DUMPABLE) != 0) return 2;
    const UniqueFd table(::open("/proc/self/mountinfo", O_RDONLY));
    return table ? 0 : 3;
  });
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessSetup, ClosedStandardStreamsAreOccupied) {
  ChildProcess child([](const ChildSide&) {
    ::close(STDIN_FILENO);
    ::close(STDERR_FILENO);
    if (!occupy_standard_fds()) return 1;
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      struct stat status {};
      if (::fstat(fd, &status) != 0) return 2;
    }
    const UniqueFd next(::open("/dev/null", O_RDONLY));
    return next.get() > STDERR_FILENO ? 0 : 3;
  });
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessSetup, RootBecomesAnotherUserForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ChildProcess child([](const ChildSide&) {
    if (!become_user("nobody")) return 1;
    if (::getuid() == 0 || ::geteuid() != ::getuid() || ::getgid() == 0) return 2;
    if (::setuid(0) == 0) return 3;
    return std::string(std::getenv("USER")) == "nobody" && std::getenv("HOME") != nullptr ? 0 : 4;
  });
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessSetup, UnknownUsersAreNamed) {
  const Status status = become_user("no-such-user-here");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "option 'setuid': no user 'no-such-user-here'");
}

TEST(ProcessSetup, OnlyRootBecomesSomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ChildProcess child([](const ChildSide&) {
    if (!become_user("nobody")) return 1;
    return become_user("root") ? 2 : 0;
  });
  EXPECT_EQ(child.exit_code(), 0);
}

}  // namespace
}  // namespace sftpfs::app
