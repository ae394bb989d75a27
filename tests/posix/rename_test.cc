// rename(2) and renameat2(2).
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "posix/parity.h"
#include "posix/text.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Rename, every_server());
POSIX_SUITE(RenameAtomic, every_mount());
POSIX_SUITE(RenamePermission, shared_mounts());

long rename_to(const Scene& scene, const char* from, const char* to, unsigned flags = 0) {
  return ::renameat2(AT_FDCWD, scene.path(from).c_str(), AT_FDCWD, scene.path(to).c_str(), flags);
}

// 0: each time the whole file of one version; else what was wrong. Ends with the other end of
// `pipe`.
int read_until_closed(int pipe, const std::string& path, std::size_t size) {
  pollfd end{pipe, POLLIN, 0};
  std::string bytes(size + 1, '\0');
  while (::poll(&end, 1, 0) == 0) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    // Replaced twice while it was being opened: SFTP opens by name only (docs/SEMANTICS.md).
    if (!fd && errno == ESTALE) continue;
    if (!fd) return errno;
    if (::read(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(size)) return 200;
    if (bytes.find_first_not_of(bytes[0]) != size) return 201;
  }
  return 0;
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

// A reader opens the name again and again while an editor saves by renaming onto it.
POSIX_CASE(RenameAtomic, ReadersSeeTheOldOrTheNewFileAndNeverNone) {
  constexpr int kVersions = 100;
  constexpr std::size_t kSize = 5'000;
  scene.make_file("document", std::string(kSize, 'a'));
  std::array<int, 2> pipe{};
  must(::pipe2(pipe.data(), O_CLOEXEC), "pipe");
  const std::string path = scene.path("document");
  const pid_t reader = must(::fork(), "fork");
  if (reader == 0) {
    ::close(pipe[1]);
    const int whole = read_until_closed(pipe[0], path, kSize);
    ::_exit(whole);
  }
  ::close(pipe[0]);
  long renamed = 0;
  for (int version = 1; version <= kVersions; ++version) {
    scene.make_file("temporary", std::string(kSize, static_cast<char>('a' + version % 26)));
    if (rename_to(scene, "temporary", "document") == 0) ++renamed;
  }
  ::close(pipe[1]);
  int status = 0;
  must(::waitpid(reader, &status, 0), "waitpid");
  scene.note("renamed", renamed);
  scene.note("reader was content", static_cast<long>(WEXITSTATUS(status)));
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
