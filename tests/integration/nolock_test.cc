// Promise: with nolock a programme learns that its locks would hold on this machine only.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

TEST(NoLock, EveryKindOfLockIsENOLCK) {
  const TestServer server;
  MountOptions options;
  options.extra = {"nolock"};
  const TestMount mount(server, options);
  const UniqueFd fd(::open(mount.file("file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  for (const int command : {F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK}) {
    errno = 0;
    EXPECT_EQ(::fcntl(fd.get(), command, &lock), -1) << command;
    EXPECT_EQ(errno, ENOLCK) << command;
  }
  errno = 0;
  EXPECT_EQ(::flock(fd.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, ENOLCK);
}

}  // namespace
}  // namespace sftpfs::test
