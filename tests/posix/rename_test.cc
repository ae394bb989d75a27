// rename(2) and renameat2(2).
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Rename, every_server());
POSIX_SUITE(RenamePermission, shared_mounts());

long rename_to(const Scene& scene, const char* from, const char* to, unsigned flags = 0) {
  return ::renameat2(AT_FDCWD, scene.path(from).c_str(), AT_FDCWD, scene.path(to).c_str(), flags);
}

POSIX_CASE(Rename, ToANewName) {
  scene.make_file("from", "text", 0604);
  scene.call("rename", rename_to(scene, "from", "to"));
  scene.stat("from", "from");
  scene.stat("to", "to");
  scene.contents("to", "to");
  scene.list("listed", ".");
}

POSIX_CASE(Rename, ReplacesAFile) {
  scene.make_file("from", "new contents");
  scene.make_file("to", "old");
  scene.contents("before", "to");
  scene.call("rename", rename_to(scene, "from", "to"));
  scene.contents("after", "to");
  scene.stat("attributes", "to");
  scene.list("listed", ".");
}

POSIX_CASE(Rename, BetweenDirectories) {
  scene.make_dir("a");
  scene.make_dir("b");
  scene.make_file("a/file", "text");
  scene.list("b is empty", "b");
  scene.call("rename", rename_to(scene, "a/file", "b/moved"));
  scene.list("a", "a");
  scene.list("b", "b");
  scene.contents("moved", "b/moved");
}

POSIX_CASE(Rename, ADirectoryWithItsContents) {
  scene.make_dir("from");
  scene.make_dir("from/sub");
  scene.make_file("from/sub/file", "text");
  scene.contents("before", "from/sub/file");
  scene.call("rename", rename_to(scene, "from", "to"));
  scene.contents("after", "to/sub/file");
  scene.stat("old path", "from/sub/file");
  scene.make_file("to/sub/new", "new");
  scene.list("listed", "to/sub");
}

POSIX_CASE(Rename, OntoDirectories) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.make_dir("empty");
  scene.make_dir("full");
  scene.make_file("full/file");
  scene.call("file onto directory", rename_to(scene, "file", "empty"));
  scene.call("directory onto file", rename_to(scene, "dir", "file"));
  scene.call("directory onto full directory", rename_to(scene, "dir", "full"));
  scene.call("directory onto empty directory", rename_to(scene, "dir", "empty"));
  scene.list("listed", ".");
}

POSIX_CASE(Rename, BadNames) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.call("missing source", rename_to(scene, "missing", "new"));
  scene.call("missing target directory", rename_to(scene, "file", "missing/new"));
  scene.call("below a file", rename_to(scene, "dir", "file/new"));
  scene.call("into itself", rename_to(scene, "dir", "dir/sub"));
  scene.call("onto itself", rename_to(scene, "file", "file"));
  scene.call("dot", rename_to(scene, "dir/.", "new"));
  scene.call("file to name with slash", rename_to(scene, "file", "new/"));
  scene.list("nothing has changed", ".");
}

POSIX_CASE(Rename, LinksAreMovedNotTheirTargets) {
  scene.make_file("file", "text");
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.call("link", rename_to(scene, "link", "moved"));
  scene.call("onto a dangling link", rename_to(scene, "moved", "dangling"));
  scene.lstat("dangling", "dangling");
  scene.contents("through it", "dangling");
}

POSIX_CASE(Rename, AnOpenFileFollows) {
  scene.make_file("from", "0123456789");
  const UniqueFd fd = scene.must_open("from", O_RDWR);
  scene.call("rename", rename_to(scene, "from", "to"));
  scene.call("write", ::pwrite(fd.get(), "AB", 2, 0));
  scene.call("truncate", ::ftruncate(fd.get(), 5));
  scene.call("fchmod", ::fchmod(fd.get(), 0600));
  scene.fstat("descriptor", fd.get());
  scene.contents("under the new name", "to");
  scene.make_file("from", "another");
  scene.read_at("still the same file", fd.get(), 0, 100);
}

POSIX_CASE(Rename, AReplacedOpenFileLivesOn) {
  scene.make_file("from", "new");
  scene.make_file("to", numbered_text(300'000));
  const UniqueFd old = scene.must_open("to", O_RDWR);
  scene.call("rename", rename_to(scene, "from", "to"));
  scene.read_at("old contents", old.get(), 0, 300'000);
  scene.call("write", ::pwrite(old.get(), "OLD", 3, 0));
  scene.contents("new contents", "to");
}

POSIX_CASE(Rename, WithWritesUnderWay) {
  const std::string text = numbered_text(500'000);
  {
    const UniqueFd fd = scene.must_open("from", O_WRONLY | O_CREAT);
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
    scene.call("rename", rename_to(scene, "from", "to"));
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
  }
  scene.stored("stored", "to");
}

POSIX_CASE(Rename, AsEditorsSave) {
  scene.make_file("document", "version 0");
  for (int version = 1; version <= 10; ++version) {
    const std::string text = "version " + std::to_string(version);
    scene.make_file("document.tmp", text);
    scene.call("rename", rename_to(scene, "document.tmp", "document"));
    scene.contents("contents", "document");
  }
}

POSIX_CASE(Rename, NoReplace) {
  scene.make_file("from", "from");
  scene.make_file("to", "to");
  scene.make_dir("dir");
  scene.call("existing file", rename_to(scene, "from", "to", RENAME_NOREPLACE));
  scene.call("existing directory", rename_to(scene, "from", "dir", RENAME_NOREPLACE));
  scene.call("new name", rename_to(scene, "from", "new", RENAME_NOREPLACE));
  scene.call("directory to new name", rename_to(scene, "dir", "new_dir", RENAME_NOREPLACE));
  scene.contents("to", "to");
  scene.list("listed", ".");
}

POSIX_CASE(Rename, TheProtocolCannotExchange) {
  scene.make_file("a", "a");
  scene.make_file("b", "b");
  scene.differs("RENAME_EXCHANGE is EINVAL: SFTP cannot swap two names at once");
  scene.call("exchange", rename_to(scene, "a", "b", RENAME_EXCHANGE));
}

POSIX_CASE(RenamePermission, NeedsWritePermissionOnBothDirectories) {
  scene.make_dir("open", 0777);
  scene.make_file("open/file", "text");
  scene.make_dir("sticky", 0777);
  scene.make_file("sticky/file", "text");
  scene.set_mode("sticky", 01777);
  scene.make_file("file", "text");
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("out of a closed directory", rename_to(other, "file", "open/new"));
    other.call("into a closed directory", rename_to(other, "open/file", "new"));
    other.call("out of a sticky directory", rename_to(other, "sticky/file", "open/new"));
    other.call("within an open directory", rename_to(other, "open/file", "open/new"));
  });
  scene.list("open", "open");
}

}  // namespace
}  // namespace sftpfs::test
