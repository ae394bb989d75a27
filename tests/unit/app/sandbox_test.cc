// The sandbox holds: each case enters it in a child process and tries what it forbids.
#include "app/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include "support/temp_dir.h"

namespace sftpfs::app {
namespace {

using test::TempDir;

constexpr int kNoSandbox = 200;

// What a child ends with that does `work` in the sandbox: its exit status, or minus the signal.
int in_sandbox(const std::vector<std::string>& writable, const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<Sandbox> sandbox = Sandbox::create(writable);
    const bool entered = sandbox && sandbox->restrict_thread() && Sandbox::restrict_calls();
    ::_exit(entered ? work() : kNoSandbox);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#ifndef SFTPFS_INSTRUMENTED

int error_of(long result) { return result < 0 ? errno : 0; }

// What a change outside of the given directories answers on this kernel.
int forbidden_change() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? EACCES : 0;
}

TEST(Sandbox, FilesCanBeReadAndOnlyGivenDirectoriesChanged) {
  const TempDir open;
  const TempDir closed;
  const std::string path = closed.file("file");
  ASSERT_EQ(::close(::creat(path.c_str(), 0644)), 0);
  EXPECT_EQ(
      in_sandbox({open.path()}, [&] { return error_of(::creat(open.file("new").c_str(), 0644)); }),
      0);
  EXPECT_EQ(in_sandbox({open.path()}, [&] { return error_of(::unlink(open.file("new").c_str())); }),
            0);
  EXPECT_EQ(in_sandbox({open.path()}, [&] { return error_of(::open(path.c_str(), O_RDONLY)); }), 0);
  EXPECT_EQ(in_sandbox({open.path()}, [&] { return error_of(::open("/dev/null", O_RDWR)); }), 0);
  EXPECT_EQ(in_sandbox({open.path()}, [&] { return error_of(::open(path.c_str(), O_WRONLY)); }),
            forbidden_change());
  EXPECT_EQ(in_sandbox({open.path()}, [&] { return error_of(::unlink(path.c_str())); }),
            forbidden_change());
  EXPECT_EQ(
      in_sandbox({open.path()}, [&] { return error_of(::mkdir(closed.file("d").c_str(), 0755)); }),
      forbidden_change());
}

TEST(Sandbox, StartsThreadsAndNothingElse) {
  EXPECT_EQ(in_sandbox({},
                       [] {
                         std::thread([] {}).join();
                         return 0;
                       }),
            0);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::fork()); }), ENOSYS);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::execl("/bin/true", "true", nullptr)); }), EPERM);
}

TEST(Sandbox, UnmountsNothing) {
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::umount2("/nowhere", MNT_DETACH)); }), EPERM);
}

TEST(Sandbox, EndsWhoTriesWhatOnlyAnAttackerWants) {
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::mount("none", "/", "tmpfs", 0, nullptr)); }),
            -SIGSYS);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }),
            -SIGSYS);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::chroot("/")); }), -SIGSYS);
  // Of any thread.
  EXPECT_EQ(in_sandbox({},
                       [] {
                         std::thread([] { EXPECT_EQ(::chroot("/"), 0); }).join();
                         return 0;
                       }),
            -SIGSYS);
}

TEST(Sandbox, LetsTheNetworkInAndNoRawPackets) {
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::socket(AF_INET6, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::socket(AF_UNIX, SOCK_DGRAM, 0)); }), 0);
  EXPECT_EQ(in_sandbox({}, [] { return error_of(::socket(AF_PACKET, SOCK_RAW, 0)); }), ENOSYS);
}

TEST(Sandbox, TypesNothingAtTheTerminal) {
  char byte = 'x';
  EXPECT_EQ(in_sandbox({}, [&] { return error_of(::ioctl(0, TIOCSTI, &byte)); }), ENOSYS);
  // A number of which the kernel sees only the same half.
  constexpr unsigned long kSameHalf = (1UL << 32) | TIOCSTI;
  EXPECT_EQ(in_sandbox({}, [&] { return error_of(::ioctl(0, kSameHalf, &byte)); }), ENOSYS);
}

#else

TEST(Sandbox, IsLeftToOthersWhereTheRunTimeWritesFiles) {
  EXPECT_EQ(in_sandbox({}, [] { return 0; }), 0);
}

#endif

}  // namespace
}  // namespace sftpfs::app
