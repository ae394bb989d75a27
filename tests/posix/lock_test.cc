// flock(2) and fcntl(2) locks between the processes of one machine.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "posix/parity.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Lock, every_mount());

long set_lock(int fd, short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return ::fcntl(fd, F_SETLK, &lock);
}

POSIX_CASE(Lock, WholeFileBetweenDescriptors) {
  scene.make_file("file", "text");
  const UniqueFd first = scene.must_open("file", O_RDWR);
  const UniqueFd second = scene.must_open("file", O_RDWR);
  scene.call("shared", ::flock(first.get(), LOCK_SH | LOCK_NB));
  scene.call("shared too", ::flock(second.get(), LOCK_SH | LOCK_NB));
  scene.call("exclusive", ::flock(first.get(), LOCK_EX | LOCK_NB));
  scene.call("unlock", ::flock(second.get(), LOCK_UN));
  scene.call("exclusive now", ::flock(first.get(), LOCK_EX | LOCK_NB));
  scene.call("shared", ::flock(second.get(), LOCK_SH | LOCK_NB));
}

POSIX_CASE(Lock, RangesBetweenProcesses) {
  scene.make_file("file", "0123456789", 0666);
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.call("write lock", set_lock(fd.get(), F_WRLCK, 0, 5));
  scene.call("read lock", set_lock(fd.get(), F_RDLCK, 5, 5));
  scene.as_user(0, [](Scene& other) {
    const UniqueFd mine = other.must_open("file", O_RDWR);
    other.call("read in the write lock", set_lock(mine.get(), F_RDLCK, 0, 5));
    other.call("read in the read lock", set_lock(mine.get(), F_RDLCK, 5, 5));
    other.call("write in the read lock", set_lock(mine.get(), F_WRLCK, 5, 5));
    other.call("beyond both", set_lock(mine.get(), F_WRLCK, 10, 0));
  });
}

POSIX_CASE(Lock, AreWaitedFor) {
  scene.make_file("file", "0123456789");
  UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.call("write lock", set_lock(fd.get(), F_WRLCK, 0, 5));
  const std::string path = scene.path("file");
  const pid_t child = must(::fork(), "fork");
  if (child == 0) {
    const UniqueFd mine(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_len = 10;
    ::_exit(::fcntl(mine.get(), F_SETLKW, &lock) == 0 ? 0 : errno);
  }
  scene.call("unlock", set_lock(fd.get(), F_UNLCK, 0, 0));
  int status = 0;
  must(::waitpid(child, &status, 0), "waitpid");
  scene.note("the other has got it", static_cast<long>(status));
}

POSIX_CASE(Lock, AreFoundAndSplit) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.call("lock", set_lock(fd.get(), F_WRLCK, 0, 100));
  scene.call("unlock the middle", set_lock(fd.get(), F_UNLCK, 40, 20));
  scene.as_user(0, [](Scene& other) {
    const UniqueFd mine = other.must_open("file", O_RDWR);
    for (const off_t start : {0, 30, 40, 59, 60, 99, 100}) {
      struct flock lock {};
      lock.l_type = F_RDLCK;
      lock.l_start = start;
      lock.l_len = 1;
      other.call("ask", ::fcntl(mine.get(), F_GETLK, &lock));
      other.note("type", static_cast<long>(lock.l_type));
      other.note("start", static_cast<long>(lock.l_start));
      other.note("length", static_cast<long>(lock.l_len));
    }
  });
}

POSIX_CASE(Lock, OfOpenFilesAndOfRemovedOnes) {
  scene.make_file("file", "text");
  const UniqueFd first = scene.must_open("file", O_RDWR);
  const UniqueFd second = scene.must_open("file", O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  scene.call("by description", ::fcntl(first.get(), F_OFD_SETLK, &lock));
  scene.call("the other", ::fcntl(second.get(), F_OFD_SETLK, &lock));
  scene.call("unlink", ::unlink(scene.path("file").c_str()));
  scene.call("flock", ::flock(first.get(), LOCK_EX | LOCK_NB));
  scene.call("the other's", ::flock(second.get(), LOCK_EX | LOCK_NB));
  lock.l_type = F_UNLCK;
  scene.call("unlock", ::fcntl(first.get(), F_OFD_SETLK, &lock));
  lock.l_type = F_WRLCK;
  scene.call("now the other", ::fcntl(second.get(), F_OFD_SETLK, &lock));
}

}  // namespace
}  // namespace sftpfs::test
