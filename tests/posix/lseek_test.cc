// lseek(2), with SEEK_DATA and SEEK_HOLE.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Lseek, every_server());

POSIX_CASE(Lseek, FromEveryOrigin) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.call("set", ::lseek(fd.get(), 4, SEEK_SET));
  scene.call("cur", ::lseek(fd.get(), 3, SEEK_CUR));
  scene.call("end", ::lseek(fd.get(), -2, SEEK_END));
  scene.call("beyond", ::lseek(fd.get(), 1000, SEEK_END));
  scene.call("before the start", ::lseek(fd.get(), -1, SEEK_SET));
  scene.call("bad origin", ::lseek(fd.get(), 0, 99));
}

POSIX_CASE(Lseek, EndFollowsWrites) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  const UniqueFd other = scene.must_open("file", O_RDONLY);
  const std::string text = numbered_text(200'000);
  scene.call("write", ::write(fd.get(), text.data(), text.size()));
  scene.call("end", ::lseek(other.get(), 0, SEEK_END));
  scene.call("truncate", ::ftruncate(fd.get(), 10));
  scene.call("end", ::lseek(other.get(), 0, SEEK_END));
}

POSIX_CASE(Lseek, DataAndHolesOfADenseFile) {
  scene.make_file("file", numbered_text(10'000));
  scene.make_file("empty");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.call("data at 0", ::lseek(fd.get(), 0, SEEK_DATA));
  scene.call("data inside", ::lseek(fd.get(), 5'000, SEEK_DATA));
  scene.call("hole at 0", ::lseek(fd.get(), 0, SEEK_HOLE));
  scene.call("hole inside", ::lseek(fd.get(), 5'000, SEEK_HOLE));
  scene.call("data at the end", ::lseek(fd.get(), 10'000, SEEK_DATA));
  scene.call("hole at the end", ::lseek(fd.get(), 10'000, SEEK_HOLE));
  scene.call("data beyond", ::lseek(fd.get(), 20'000, SEEK_DATA));
  const UniqueFd empty = scene.must_open("empty", O_RDONLY);
  scene.call("data of an empty file", ::lseek(empty.get(), 0, SEEK_DATA));
}

POSIX_CASE(Lseek, TheProtocolKnowsNoHoles) {
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    scene.call("write", ::pwrite(fd.get(), "x", 1, 10 << 20));
  }
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.differs("SEEK_DATA and SEEK_HOLE see files without holes: SFTP does not tell of them");
  scene.call("first data", ::lseek(fd.get(), 0, SEEK_DATA));
}

}  // namespace
}  // namespace sftpfs::test
