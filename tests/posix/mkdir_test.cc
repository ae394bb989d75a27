// mkdir(2) and rmdir(2).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Mkdir, every_server());
POSIX_SUITE(Rmdir, every_server());
POSIX_SUITE(MkdirPermission, shared_mounts());

long make(const Scene& scene, const char* name, mode_t mode = 0755) {
  return ::mkdir(scene.path(name).c_str(), mode);
}
long remove(const Scene& scene, const char* name) { return ::rmdir(scene.path(name).c_str()); }

POSIX_CASE(Mkdir, MakesAnEmptyDirectory) {
  scene.call("mkdir", make(scene, "dir"));
  scene.stat("attributes", "dir");
  scene.list("empty", "dir");
  scene.stat("missing in it", "dir/name");
  scene.make_file("dir/file");
  scene.list("with a file", "dir");
}

POSIX_CASE(Mkdir, ModeAndUmask) {
  for (const mode_t mask : {0000U, 0022U, 0077U}) {
    ::umask(mask);
    for (const mode_t mode : {0777U, 0750U, 0500U, 01777U}) {
      const std::string name = std::to_string(mask) + "_" + std::to_string(mode);
      scene.call("mkdir", make(scene, name.c_str(), mode));
      scene.stat(name, name);
    }
  }
  ::umask(022);
}

POSIX_CASE(Mkdir, BadNames) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.make_link("missing", "dangling");
  scene.make_link("dir", "link");
  for (const char* name : {"file", "dir", "dir/", "dangling", "link", "missing/dir", "file/dir",
                           ".", "..", "dir/.", "dir/.."}) {
    scene.call(name, make(scene, name));
  }
}

POSIX_CASE(Mkdir, TrailingSlashIsAllowed) {
  scene.call("mkdir", make(scene, "dir/"));
  scene.stat("attributes", "dir");
}

POSIX_CASE(Mkdir, InheritsTheGroupOfASetGroupIdDirectory) {
  scene.make_dir("parent", 0755);
  scene.call("chown", ::chown(scene.path("parent").c_str(), 0, 2345));
  scene.set_mode("parent", 02775);
  scene.call("mkdir", make(scene, "parent/dir"));
  scene.stat("directory", "parent/dir");
  scene.open("file", "parent/file", O_WRONLY | O_CREAT);
  scene.stat("file", "parent/file");
  scene.open("file beside", "file", O_WRONLY | O_CREAT);
  scene.stat("file beside", "file");
  scene.call("mkdir beside", make(scene, "dir"));
  scene.stat("directory beside", "dir");
}

POSIX_CASE(Mkdir, Nested) {
  std::string name = "d";
  for (int depth = 0; depth < 30; ++depth, name += "/d") {
    scene.call("mkdir", make(scene, name.c_str()));
  }
  scene.make_file(name, "deep");
  scene.contents("deep file", name);
}

POSIX_CASE(Rmdir, OnlyEmptyDirectories) {
  scene.make_dir("empty");
  scene.make_dir("full");
  scene.make_file("full/file");
  scene.make_dir("parent");
  scene.make_dir("parent/child");
  scene.call("empty", remove(scene, "empty"));
  scene.stat("empty is gone", "empty");
  scene.call("full", remove(scene, "full"));
  scene.call("with a directory", remove(scene, "parent"));
  scene.list("what remains", ".");
}

POSIX_CASE(Rmdir, BadNames) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.make_link("dir", "link");
  for (const char* name :
       {"file", "missing", "missing/dir", "file/dir", "link", "link/", "dir/.", "dir/.."}) {
    scene.call(name, remove(scene, name));
  }
}

POSIX_CASE(Rmdir, AfterItsContentsAreGone) {
  scene.make_dir("dir");
  for (int i = 0; i < 20; ++i) scene.make_file("dir/" + std::to_string(i));
  scene.list("full", "dir");
  scene.call("too early", remove(scene, "dir"));
  for (int i = 0; i < 20; ++i) {
    scene.call("unlink", ::unlink(scene.path("dir/" + std::to_string(i)).c_str()));
  }
  scene.call("now", remove(scene, "dir"));
  scene.call("mkdir again", make(scene, "dir"));
  scene.list("and it is empty", "dir");
}

POSIX_CASE(Rmdir, WhenItsLastFileIsOpenButUnlinked) {
  scene.make_dir("dir");
  scene.make_file("dir/file", "text");
  const UniqueFd fd = scene.must_open("dir/file", O_RDWR);
  scene.call("unlink", ::unlink(scene.path("dir/file").c_str()));
  scene.list("listed", "dir");
  scene.call("rmdir", ::rmdir(scene.path("dir").c_str()));
  scene.read_at("the file lives on", fd.get(), 0, 10);
  scene.call("write", ::pwrite(fd.get(), "T", 1, 0));
  scene.call("sync", ::fsync(fd.get()));
  scene.read_at("and can be changed", fd.get(), 0, 10);
  scene.list("nothing is left", ".");
}

POSIX_CASE(Rmdir, WhenItsLastFileWasReplacedWhileOpen) {
  scene.make_dir("dir");
  scene.make_file("dir/file", "old");
  scene.make_file("new", "new");
  const UniqueFd fd = scene.must_open("dir/file", O_RDWR);
  scene.call("rename", ::rename(scene.path("new").c_str(), scene.path("dir/file").c_str()));
  scene.call("unlink", ::unlink(scene.path("dir/file").c_str()));
  scene.call("rmdir", ::rmdir(scene.path("dir").c_str()));
  scene.read_at("the file lives on", fd.get(), 0, 10);
}

POSIX_CASE(Rmdir, WhileItIsOpen) {
  scene.make_dir("dir");
  const UniqueFd dir = scene.must_open("dir", O_RDONLY | O_DIRECTORY);
  scene.call("rmdir", remove(scene, "dir"));
  scene.call("create in what is gone", ::openat(dir.get(), "file", O_WRONLY | O_CREAT, 0644));
  scene.stat("gone", "dir");
}

POSIX_CASE(MkdirPermission, NeedsWritePermissionOnTheParent) {
  scene.make_dir("open", 0777);
  scene.make_dir("open/inner", 0755);
  scene.make_dir("sticky", 0777);
  scene.make_dir("sticky/inner", 0755);
  scene.set_mode("sticky", 01777);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("closed", make(other, "new"));
    other.call("open", make(other, "open/new"));
    other.call("rmdir in closed", remove(other, "open"));
    other.call("rmdir in open", remove(other, "open/inner"));
    other.call("rmdir in sticky", remove(other, "sticky/inner"));
  });
  scene.list("what remains", "open");
}

}  // namespace
}  // namespace sftpfs::test
