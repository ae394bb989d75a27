// flock(2) and fcntl(2) locks between the processes of one machine.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "posix/parity.h"

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

}  // namespace
}  // namespace sftpfs::test
