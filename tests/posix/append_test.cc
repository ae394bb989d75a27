// O_APPEND: every write goes to the end, wherever the offset is.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Append, every_server());

POSIX_CASE(Append, GoesToTheEnd) {
  scene.make_file("file", "start:");
  {
    const UniqueFd fd = scene.must_open("file", O_RDWR | O_APPEND);
    scene.call("write", ::write(fd.get(), "one", 3));
    scene.call("seek", ::lseek(fd.get(), 0, SEEK_SET));
    scene.call("write after seek", ::write(fd.get(), "two", 3));
    scene.call("offset", ::lseek(fd.get(), 0, SEEK_CUR));
    scene.call("pwrite appends too", ::pwrite(fd.get(), "three", 5, 0));
    scene.read_at("read", fd.get(), 0, 100);
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Append, TwoWritersTakeTurns) {
  {
    const UniqueFd first = scene.must_open("file", O_WRONLY | O_CREAT | O_APPEND);
    const UniqueFd second = scene.must_open("file", O_WRONLY | O_APPEND);
    for (int i = 0; i < 20; ++i) {
      scene.call("first", ::write(first.get(), "a", 1));
      scene.call("second", ::write(second.get(), "bb", 2));
    }
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Append, AfterTruncation) {
  scene.make_file("file", "0123456789");
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_APPEND);
    scene.call("write", ::write(fd.get(), "x", 1));
    scene.call("truncate", ::ftruncate(fd.get(), 3));
    scene.call("write", ::write(fd.get(), "yz", 2));
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Append, MayBeSwitchedOnLater) {
  scene.make_file("file", "0123456789");
  {
    const UniqueFd fd = scene.must_open("file", O_RDWR);
    scene.call("write", ::write(fd.get(), "AB", 2));
    scene.call("fcntl", ::fcntl(fd.get(), F_SETFL, O_APPEND));
    scene.call("write", ::write(fd.get(), "CD", 2));
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Append, ToWhatTheServerHas) {
  scene.make_file("file", "first\n");
  scene.contents("first", "file");
  {
    const UniqueFd behind(::open(scene.backing("file").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    scene.call("behind", ::write(behind.get(), "second\n", 7));
  }
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_APPEND);
    scene.call("append", ::write(fd.get(), "third\n", 6));
  }
  scene.stored("stored", "file");
}

}  // namespace
}  // namespace sftpfs::test
