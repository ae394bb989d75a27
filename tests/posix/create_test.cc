// open(2) with O_CREAT, creat(2), mknod(2) of a regular file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Create, every_server());
POSIX_SUITE(CreatePermission, shared_mounts());

POSIX_CASE(Create, MakesAnEmptyFile) {
  scene.open("create", "file", O_WRONLY | O_CREAT, 0644);
  scene.stat("attributes", "file");
  scene.stored("on the server", "file");
  scene.list("listed", ".");
}

POSIX_CASE(Create, ExclusiveMeansNew) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  scene.make_link("missing", "dangling");
  scene.make_link("file", "link");
  for (const char* name : {"file", "dir", "dangling", "link", "new", "new"}) {
    scene.open(name, name, O_WRONLY | O_CREAT | O_EXCL);
  }
  scene.lstat("dangling link is untouched", "dangling");
  scene.contents("file is untouched", "file");
}

POSIX_CASE(Create, ExistingFileKeepsModeAndContents) {
  scene.make_file("file", "0123456789", 0604);
  const UniqueFd fd = scene.open("O_CREAT", "file", O_RDWR | O_CREAT, 0777);
  scene.call("write", ::write(fd.get(), "AB", 2));
  scene.stat("attributes", "file");
  scene.contents("contents", "file");
}

POSIX_CASE(Create, TruncatesExistingFile) {
  scene.make_file("file", "0123456789", 0604);
  scene.open("creat", "file", O_WRONLY | O_CREAT | O_TRUNC, 0777);
  scene.stat("attributes", "file");
}

POSIX_CASE(Create, ThroughADanglingLinkMakesItsTarget) {
  scene.make_link("target", "link");
  const UniqueFd fd = scene.open("create", "link", O_WRONLY | O_CREAT);
  scene.call("write", ::write(fd.get(), "text", 4));
  scene.lstat("link", "link");
  scene.contents("target", "target");
}

POSIX_CASE(Create, UmaskIsTheClients) {
  for (const mode_t mask : {0000U, 0022U, 0027U, 0077U}) {
    ::umask(mask);
    const std::string name = "file" + std::to_string(mask);
    scene.open("create", name, O_WRONLY | O_CREAT, 0666);
    scene.stat("mode", name);
    const std::string program = "program" + std::to_string(mask);
    scene.open("create", program, O_WRONLY | O_CREAT, 0777);
    scene.stat("mode", program);
  }
  ::umask(022);
}

POSIX_CASE(Create, ModeDoesNotBindTheCreator) {
  const UniqueFd fd = scene.open("read-only for everyone", "file", O_RDWR | O_CREAT, 0444);
  scene.call("write", ::write(fd.get(), "text", 4));
  scene.read_at("read", fd.get(), 0, 4);
  const UniqueFd none = scene.open("no mode at all", "none", O_RDWR | O_CREAT, 0000);
  scene.call("write", ::write(none.get(), "text", 4));
  scene.stat("mode", "file");
  scene.stat("mode", "none");
}

POSIX_CASE(Create, SpecialBitsAreKept) {
  scene.open("suid", "suid", O_WRONLY | O_CREAT, 04755);
  scene.stat("mode", "suid");
  scene.open("sticky", "sticky", O_WRONLY | O_CREAT, 01644);
  scene.stat("mode", "sticky");
}

POSIX_CASE(Create, RemovedAndMadeAgain) {
  for (int i = 0; i < 5; ++i) {
    const UniqueFd fd = scene.open("create", "file", O_WRONLY | O_CREAT | O_EXCL);
    scene.call("write", ::write(fd.get(), "0123456789", static_cast<std::size_t>(i)));
    scene.stat("attributes", "file");
    scene.call("unlink", ::unlink(scene.path("file").c_str()));
    scene.stat("gone", "file");
  }
}

POSIX_CASE(Create, ByMknod) {
  scene.call("mknod", ::mknod(scene.path("file").c_str(), S_IFREG | 0640, 0));
  scene.stat("attributes", "file");
  scene.call("again", ::mknod(scene.path("file").c_str(), S_IFREG | 0640, 0));
}

POSIX_CASE(Create, InAMissingDirectory) {
  scene.make_file("file");
  scene.open("missing directory", "missing/file", O_WRONLY | O_CREAT);
  scene.open("file as directory", "file/file", O_WRONLY | O_CREAT);
  scene.call("mknod", ::mknod(scene.path("missing/file").c_str(), S_IFREG | 0640, 0));
}

POSIX_CASE(CreatePermission, BelongsToItsCreator) {
  scene.make_dir("open", 0777);
  scene.as_user(kOtherUser, [](Scene& other) {
    const UniqueFd fd = other.open("create", "open/file", O_RDWR | O_CREAT, 0644);
    other.call("write", ::write(fd.get(), "text", 4));
  });
  scene.contents("contents", "open/file");
  scene.stat("owner", "open/file");
}

// What this mount shows and what the server has.
void owner_everywhere(Scene& scene, const std::string& name) {
  scene.lstat(name, name);
  struct stat stored {};
  scene.call("on the server", ::lstat(scene.backing(name).c_str(), &stored));
  scene.note("user", static_cast<long>(stored.st_uid));
  scene.note("group", static_cast<long>(stored.st_gid));
  scene.note("mode", static_cast<long>(stored.st_mode & 07777U));
}

POSIX_CASE(CreatePermission, EveryKindBelongsToItsCreator) {
  scene.make_dir("open", 0777);
  scene.make_dir("inherited", 0777);
  scene.call("chown", ::chown(scene.path("inherited").c_str(), 0, 4242));
  scene.set_mode("inherited", 02777);
  scene.as_user(kOtherUser, [](Scene& other) {
    for (const std::string dir : {"open/", "inherited/"}) {
      other.open("file", dir + "file", O_RDWR | O_CREAT | O_EXCL, 0640);
      other.open("programme", dir + "programme", O_WRONLY | O_CREAT, 04755);
      other.call("mkdir", ::mkdir(other.path(dir + "dir").c_str(), 0750));
      other.call("symlink", ::symlink("file", other.path(dir + "link").c_str()));
      other.call("dangling", ::symlink("nothing", other.path(dir + "dangling").c_str()));
      other.call("mknod", ::mknod(other.path(dir + "node").c_str(), S_IFREG | 0600, 0));
      other.call("chmod of one's own", ::chmod(other.path(dir + "file").c_str(), 0600));
      other.call("in one's own", ::mkdir(other.path(dir + "dir/sub").c_str(), 0700));
      other.call("link",
                 ::link(other.path(dir + "file").c_str(), other.path(dir + "second").c_str()));
    }
  });
  for (const std::string dir : {"open/", "inherited/"}) {
    for (const char* name : {"file", "programme", "dir", "link", "dangling", "node", "dir/sub"}) {
      owner_everywhere(scene, dir + name);
    }
  }
}

}  // namespace
}  // namespace sftpfs::test
