// chmod(2), fchmod(2), fchmodat(2).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Chmod, every_server());
POSIX_SUITE(ChmodPermission, shared_mounts());

POSIX_CASE(Chmod, EveryBit) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  for (const mode_t mode : {0000U, 0400U, 0644U, 0777U, 01777U, 02755U, 04755U, 07777U}) {
    scene.call("file", ::chmod(scene.path("file").c_str(), mode));
    scene.stat("file", "file");
    scene.call("dir", ::chmod(scene.path("dir").c_str(), mode));
    scene.stat("dir", "dir");
  }
}

POSIX_CASE(Chmod, ByDescriptor) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.call("write", ::write(fd.get(), "text", 4));
  scene.call("fchmod", ::fchmod(fd.get(), 0600));
  scene.fstat("descriptor", fd.get());
  scene.stat("name", "file");
  scene.call("unlink", ::unlink(scene.path("file").c_str()));
  scene.call("fchmod of an unlinked file", ::fchmod(fd.get(), 0640));
  scene.fstat("descriptor", fd.get());
}

POSIX_CASE(Chmod, FollowsLinks) {
  scene.make_file("file", "text", 0644);
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.call("link", ::chmod(scene.path("link").c_str(), 0600));
  scene.lstat("link", "link");
  scene.stat("file", "file");
  scene.call("dangling", ::chmod(scene.path("dangling").c_str(), 0600));
}

POSIX_CASE(Chmod, BadNames) {
  scene.make_file("file");
  scene.call("missing", ::chmod(scene.path("missing").c_str(), 0600));
  scene.call("below a file", ::chmod(scene.path("file/name").c_str(), 0600));
}

POSIX_CASE(ChmodPermission, OnlyForTheOwner) {
  scene.make_file("file", "text", 0666);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("chmod", ::chmod(other.path("file").c_str(), 0777));
    const UniqueFd fd = other.open("open", "file", O_RDWR);
    other.call("fchmod", ::fchmod(fd.get(), 0777));
  });
  scene.stat("unchanged", "file");
}

POSIX_CASE(ChmodPermission, TakesEffectForOpenAtOnce) {
  scene.make_file("file", "text", 0644);
  const auto try_open = [](Scene& other) { other.open("open", "file", O_RDONLY); };
  scene.as_user(kOtherUser, try_open);
  scene.call("chmod", ::chmod(scene.path("file").c_str(), 0600));
  scene.as_user(kOtherUser, try_open);
  scene.call("chmod", ::chmod(scene.path("file").c_str(), 0604));
  scene.as_user(kOtherUser, try_open);
}

}  // namespace
}  // namespace sftpfs::test
