// Whose an object is and what that means: set-user-id bits, set-group-id directories.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Identity, every_mount());
POSIX_SUITE(IdentityPermission, shared_mounts());

constexpr gid_t kGroup = 4242;

POSIX_CASE(IdentityPermission, SetUserIdBitsGoWhenAnotherUserWrites) {
  for (const mode_t mode : {04777U, 02777U, 06777U}) {
    scene.make_file("write", "text", mode);
    scene.make_file("append", "text", mode);
    scene.make_file("truncate", "text", mode);
    scene.make_file("ftruncate", "text", mode);
    scene.make_file("open", "text", mode);
    scene.as_user(kOtherUser, [](Scene& other) {
      const UniqueFd writer = other.open("open", "write", O_WRONLY);
      other.call("write", ::pwrite(writer.get(), "T", 1, 0));
      const UniqueFd appender = other.open("open", "append", O_WRONLY | O_APPEND);
      other.call("append", ::write(appender.get(), "T", 1));
      other.call("truncate", ::truncate(other.path("truncate").c_str(), 2));
      const UniqueFd fd = other.open("open", "ftruncate", O_RDWR);
      other.call("ftruncate", ::ftruncate(fd.get(), 2));
      other.open("open and truncate", "open", O_WRONLY | O_TRUNC);
    });
    for (const char* name : {"write", "append", "truncate", "ftruncate", "open"}) {
      scene.stat(name, name);
      scene.contents(name, name);
      scene.call("unlink", ::unlink(scene.path(name).c_str()));
    }
  }
}

POSIX_CASE(IdentityPermission, ButTheirOwnersKeepsThemByReading) {
  scene.make_file("file", "text", 06777);
  scene.as_user(kOtherUser, [](Scene& other) { other.contents("read", "file"); });
  scene.stat("file", "file");
}

POSIX_CASE(Identity, GroupsAreInheritedInSetGroupIdDirectories) {
  scene.make_dir("dir");
  scene.call("chown", ::chown(scene.path("dir").c_str(), 0, kGroup));
  scene.set_mode("dir", 02775);
  scene.make_file("dir/file", "text");
  scene.make_dir("dir/sub", 02755);
  scene.call("mkdir", ::mkdir(scene.path("dir/made").c_str(), 0750));
  scene.make_link("file", "dir/link");
  scene.call("mknod", ::mknod(scene.path("dir/node").c_str(), S_IFREG | 0644, 0));
  for (const char* name : {"dir", "dir/file", "dir/sub", "dir/made", "dir/link", "dir/node"}) {
    scene.lstat(name, name);
  }
  scene.call("out of it", ::rename(scene.path("dir/file").c_str(), scene.path("file").c_str()));
  scene.stat("keeps its group", "file");
}

POSIX_CASE(Identity, ModesAreWhatTheCallersUmaskLeaves) {
  for (const mode_t mask : {0000U, 0002U, 0027U, 0077U}) {
    ::umask(mask);
    const std::string suffix = std::to_string(mask);
    scene.open("file", "file" + suffix, O_CREAT | O_RDWR, 0666);
    scene.open("programme", "programme" + suffix, O_CREAT | O_RDWR, 0777);
    scene.call("mkdir", ::mkdir(scene.path("dir" + suffix).c_str(), 0777));
    scene.call("mknod", ::mknod(scene.path("node" + suffix).c_str(), S_IFREG | 0666, 0));
    for (const char* name : {"file", "programme", "dir", "node"}) {
      scene.stat(name, name + suffix);
      struct stat stored {};
      scene.call("stored", ::stat(scene.backing(name + suffix).c_str(), &stored));
      scene.note("its mode", static_cast<long>(stored.st_mode & 07777U));
    }
  }
  ::umask(022);
}

}  // namespace
}  // namespace sftpfs::test
