// open(2): which flags lead where, and with which errno.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Open, every_server());
// durability=fsync implies nocto.
POSIX_SUITE(CloseToOpen, every_waiting_mount());
POSIX_SUITE(OpenPermission, shared_mounts());

POSIX_CASE(Open, MissingNameIsEnoent) {
  scene.open("missing", "missing", O_RDONLY);
  scene.open("missing for writing", "missing", O_WRONLY);
  scene.open("missing parent", "missing/name", O_RDONLY | O_CREAT);
}

POSIX_CASE(Open, AFileIsNoDirectory) {
  scene.make_file("file");
  scene.open("O_DIRECTORY", "file", O_RDONLY | O_DIRECTORY);
  scene.open("name below a file", "file/name", O_RDONLY);
  scene.open("name with a slash", "file/", O_RDONLY);
}

POSIX_CASE(Open, ADirectoryIsNoFile) {
  scene.make_dir("dir");
  scene.open("for reading", "dir", O_RDONLY);
  scene.open("for writing", "dir", O_WRONLY);
  scene.open("O_RDWR", "dir", O_RDWR);
  scene.open("O_CREAT", "dir", O_RDONLY | O_CREAT);
  scene.open("O_TRUNC", "dir", O_RDONLY | O_TRUNC);
  const UniqueFd dir = scene.open("O_DIRECTORY", "dir", O_RDONLY | O_DIRECTORY);
  scene.read_at("read of a directory", dir.get(), 0, 10);
}

POSIX_CASE(Open, FollowsLinksUnlessToldNot) {
  scene.make_file("file", "text");
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.make_link("loop", "loop");
  scene.contents("through the link", "link");
  scene.open("O_NOFOLLOW", "link", O_RDONLY | O_NOFOLLOW);
  scene.open("dangling", "dangling", O_RDONLY);
  scene.open("loop", "loop", O_RDONLY);
  scene.open("O_PATH of the link", "link", O_PATH | O_NOFOLLOW);
}

POSIX_CASE(Open, AccessModeIsKept) {
  scene.make_file("file", "text");
  const UniqueFd reader = scene.open("reader", "file", O_RDONLY);
  scene.call("write to a reader", ::write(reader.get(), "x", 1));
  const UniqueFd writer = scene.open("writer", "file", O_WRONLY);
  scene.read_at("read from a writer", writer.get(), 0, 4);
  const UniqueFd path = scene.open("path", "file", O_PATH);
  scene.read_at("read from a path", path.get(), 0, 4);
}

POSIX_CASE(Open, TruncatesAtOnce) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.open("O_TRUNC", "file", O_WRONLY | O_TRUNC);
  scene.stat("size after O_TRUNC", "file");
  scene.stored("contents after O_TRUNC", "file");
  scene.call("write", ::write(fd.get(), "ab", 2));
  scene.fstat("size after write", fd.get());
}

POSIX_CASE(Open, TruncatesAlsoForReading) {
  scene.make_file("file", "0123456789");
  scene.open("O_RDONLY|O_TRUNC", "file", O_RDONLY | O_TRUNC);
  scene.stat("size", "file");
}

POSIX_CASE(Open, TwoDescriptorsSeeOneFile) {
  scene.make_file("file", "0123456789");
  const UniqueFd first = scene.must_open("file", O_RDWR);
  const UniqueFd second = scene.must_open("file", O_RDWR);
  scene.call("write", ::pwrite(first.get(), "AB", 2, 4));
  scene.read_at("read by the other", second.get(), 0, 10);
  scene.call("truncate", ::ftruncate(second.get(), 5));
  scene.read_at("read by the first", first.get(), 0, 10);
  scene.fstat("size", first.get());
}

POSIX_CASE(CloseToOpen, SeesWhatChangedOnTheServer) {
  scene.make_file("file", "before");
  scene.contents("before", "file");
  const UniqueFd other(::open(scene.backing("file").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  scene.call("change behind", ::write(other.get(), "afterwards", 10));
  scene.contents("after", "file");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.fstat("size", fd.get());
}

POSIX_CASE(Open, RelativeToADirectoryDescriptor) {
  scene.make_dir("dir");
  scene.make_file("dir/file", "text");
  const UniqueFd dir = scene.must_open("dir", O_RDONLY | O_DIRECTORY);
  const UniqueFd file(::openat(dir.get(), "file", O_RDONLY | O_CLOEXEC));
  scene.read_at("openat", file.get(), 0, 10);
  scene.call("openat missing", ::openat(dir.get(), "missing", O_RDONLY));
  scene.call("openat of ..", ::faccessat(dir.get(), "../dir/file", F_OK, 0));
}

POSIX_CASE(Open, ManyDescriptorsAtOnce) {
  std::vector<UniqueFd> open;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "file" + std::to_string(i);
    open.push_back(scene.must_open(name, O_CREAT | O_RDWR));
    scene.call("write", ::write(open.back().get(), name.data(), name.size()));
  }
  for (const UniqueFd& fd : open) scene.read_at("read", fd.get(), 0, 20);
}

POSIX_CASE(Open, UnnamedFilesDoNotExistInTheProtocol) {
  scene.differs("O_TMPFILE is EOPNOTSUPP: SFTP has no files without a name");
  scene.open("O_TMPFILE", ".", O_TMPFILE | O_RDWR);
}

POSIX_CASE(OpenPermission, ModeDecides) {
  scene.make_file("secret", "text", 0600);
  scene.make_file("shown", "text", 0644);
  scene.make_file("writable", "text", 0666);
  scene.make_dir("closed", 0700);
  scene.make_file("closed/file", "text", 0666);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.open("secret", "secret", O_RDONLY);
    other.contents("shown", "shown");
    other.open("shown for writing", "shown", O_WRONLY);
    other.open("shown with O_TRUNC", "shown", O_RDONLY | O_TRUNC);
    const UniqueFd fd = other.open("writable", "writable", O_WRONLY | O_TRUNC);
    other.call("write", ::write(fd.get(), "new", 3));
    other.open("below a closed directory", "closed/file", O_RDONLY);
    other.open("create", "new", O_WRONLY | O_CREAT);
  });
  scene.contents("written by the other", "writable");
}

}  // namespace
}  // namespace sftpfs::test
