// unlink(2), and files that are open when their name goes away.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Unlink, every_server());
POSIX_SUITE(UnlinkPermission, shared_mounts());

long unlink_name(const Scene& scene, const char* name) {
  return ::unlink(scene.path(name).c_str());
}

POSIX_CASE(Unlink, RemovesTheName) {
  scene.make_file("file", "text");
  scene.call("unlink", unlink_name(scene, "file"));
  scene.stat("gone", "file");
  scene.call("again", unlink_name(scene, "file"));
  scene.list("empty", ".");
}

POSIX_CASE(Unlink, BadNames) {
  scene.make_file("file");
  scene.make_dir("dir");
  for (const char* name : {"missing", "dir", "dir/", "file/", "file/name", "missing/name", "."}) {
    scene.call(name, unlink_name(scene, name));
  }
  scene.list("what remains", ".");
}

POSIX_CASE(Unlink, RemovesLinksNotTargets) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  scene.make_link("file", "to_file");
  scene.make_link("dir", "to_dir");
  scene.make_link("missing", "dangling");
  for (const char* name : {"to_file", "to_dir", "dangling"}) {
    scene.call(name, unlink_name(scene, name));
  }
  scene.list("what remains", ".");
}

POSIX_CASE(Unlink, AnOpenFileLivesOn) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.call("unlink", unlink_name(scene, "file"));
  scene.stat("name is gone", "file");
  scene.read_at("read", fd.get(), 0, 100);
  scene.call("write", ::pwrite(fd.get(), "AB", 2, 2));
  scene.call("extend", ::pwrite(fd.get(), "end", 3, 20));
  scene.read_at("read again", fd.get(), 0, 100);
  scene.fstat("attributes", fd.get());
  scene.call("truncate", ::ftruncate(fd.get(), 4));
  scene.read_at("read truncated", fd.get(), 0, 100);
  scene.call("fsync", ::fsync(fd.get()));
  scene.list("nothing is listed", ".");
}

POSIX_CASE(Unlink, AnOpenReaderReadsOn) {
  scene.make_file("file", numbered_text(600'000));
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.read_at("first part", fd.get(), 0, 1000);
  scene.call("unlink", unlink_name(scene, "file"));
  scene.read_at("all", fd.get(), 0, 600'000);
}

POSIX_CASE(Unlink, ANewFileOfTheSameNameIsAnother) {
  scene.make_file("file", "old contents");
  const UniqueFd old = scene.must_open("file", O_RDWR);
  scene.call("unlink", unlink_name(scene, "file"));
  scene.make_file("file", "new");
  scene.contents("new", "file");
  scene.read_at("old", old.get(), 0, 100);
  scene.call("write to the old one", ::pwrite(old.get(), "OLD", 3, 0));
  scene.contents("new is untouched", "file");
  scene.fstat("old", old.get());
  scene.stat("new", "file");
}

POSIX_CASE(Unlink, ATemporaryFileOfAProgramme) {
  const UniqueFd fd = scene.must_open("temporary", O_RDWR | O_CREAT | O_EXCL, 0600);
  scene.call("unlink", unlink_name(scene, "temporary"));
  const std::string text = numbered_text(400'000);
  scene.call("write", ::write(fd.get(), text.data(), text.size()));
  scene.call("seek", ::lseek(fd.get(), 0, SEEK_SET));
  scene.read_at("read", fd.get(), 0, text.size());
  scene.call("rmdir is possible", ::rmdir(scene.path("missing").c_str()));
  scene.list("no hidden file", ".");
}

POSIX_CASE(UnlinkPermission, NeedsWritePermissionOnTheDirectory) {
  scene.make_dir("open", 0777);
  scene.make_file("open/file", "text", 0600);
  scene.make_dir("sticky", 0777);
  scene.make_file("sticky/file", "text", 0666);
  scene.set_mode("sticky", 01777);
  scene.make_file("file", "text", 0666);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("in a closed directory", unlink_name(other, "file"));
    other.call("in an open directory", unlink_name(other, "open/file"));
    other.call("in a sticky directory", unlink_name(other, "sticky/file"));
  });
  scene.list("open", "open");
  scene.list("sticky", "sticky");
}

}  // namespace
}  // namespace sftpfs::test
