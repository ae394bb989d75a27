// chown(2), fchown(2), lchown(2); the server's session is root's, as is the test.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Chown, every_mount());
POSIX_SUITE(ChownPermission, shared_mounts());

constexpr uid_t kKeep = static_cast<uid_t>(-1);

POSIX_CASE(Chown, UserAndGroup) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  for (const char* name : {"file", "dir"}) {
    scene.call("both", ::chown(scene.path(name).c_str(), 1234, 2345));
    scene.stat("both", name);
    scene.call("user only", ::chown(scene.path(name).c_str(), 3456, kKeep));
    scene.stat("user only", name);
    scene.call("group only", ::chown(scene.path(name).c_str(), kKeep, 4567));
    scene.stat("group only", name);
    scene.call("nothing", ::chown(scene.path(name).c_str(), kKeep, kKeep));
    scene.stat("nothing", name);
  }
  scene.call("missing", ::chown(scene.path("missing").c_str(), 1, 1));
}

POSIX_CASE(Chown, ByDescriptor) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.call("write", ::write(fd.get(), "text", 4));
  scene.call("fchown", ::fchown(fd.get(), 1234, 2345));
  scene.fstat("descriptor", fd.get());
  scene.stat("name", "file");
}

POSIX_CASE(Chown, OfTheLinkItself) {
  scene.make_file("file", "text");
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.call("lchown", ::lchown(scene.path("link").c_str(), 1234, 2345));
  scene.lstat("link", "link");
  scene.stat("file", "file");
  scene.call("chown through the link", ::chown(scene.path("link").c_str(), 3456, 4567));
  scene.lstat("link", "link");
  scene.stat("file", "file");
  scene.call("lchown of a dangling link", ::lchown(scene.path("dangling").c_str(), 12, 23));
  scene.lstat("dangling", "dangling");
  scene.call("chown of a dangling link", ::chown(scene.path("dangling").c_str(), 1, 1));
}

POSIX_CASE(Chown, ClearsSetUserIdBits) {
  scene.make_file("file", "text", 06755);
  scene.call("chown", ::chown(scene.path("file").c_str(), 1234, 2345));
  scene.stat("attributes", "file");
}

POSIX_CASE(ChownPermission, OnlyForTheSuperuser) {
  scene.make_file("file", "text", 0666);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("chown", ::chown(other.path("file").c_str(), kOtherUser, kOtherUser));
  });
  scene.stat("unchanged", "file");
}

}  // namespace
}  // namespace sftpfs::test
