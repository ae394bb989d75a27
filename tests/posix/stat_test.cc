// stat(2), lstat(2), fstat(2), statx(2) and looking names up.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Stat, every_server());
POSIX_SUITE(StatPermission, shared_mounts());

struct stat attributes_of(const Scene& scene, const char* name) {
  struct stat attributes {};
  if (::lstat(scene.path(name).c_str(), &attributes) != 0) attributes = {};
  return attributes;
}

POSIX_CASE(Stat, EveryKind) {
  scene.make_file("file", "0123456789", 0640);
  scene.make_dir("dir", 0750);
  scene.make_link("file", "link");
  scene.make_link("missing/target", "dangling");
  for (const char* name : {"file", "dir", "link", "dangling", "missing", ".", "dir/.."}) {
    scene.stat(name, name);
    scene.lstat(name, name);
  }
}

POSIX_CASE(Stat, NamesThatLeadNowhere) {
  scene.make_file("file");
  scene.make_link("loop", "loop");
  for (const char* name : {"missing", "missing/name", "file/name", "file/", "loop", "loop/name"}) {
    scene.stat(name, name);
    scene.lstat(name, name);
  }
  struct stat attributes {};
  scene.call("empty name", ::stat("", &attributes));
}

POSIX_CASE(Stat, AMissingNameAppears) {
  scene.stat("missing", "file");
  scene.make_file("file", "1");
  scene.stat("there", "file");
  scene.call("unlink", ::unlink(scene.path("file").c_str()));
  scene.stat("missing again", "file");
  scene.make_dir("file");
  scene.stat("as a directory", "file");
}

POSIX_CASE(Stat, DescriptorAndNameAgree) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  for (int i = 0; i < 3; ++i) {
    scene.call("write", ::write(fd.get(), "0123456789", 10));
    scene.fstat("descriptor", fd.get());
    scene.stat("name", "file");
  }
  struct stat by_fd {};
  struct stat by_name {};
  scene.call("fstat", ::fstat(fd.get(), &by_fd));
  scene.call("stat", ::stat(scene.path("file").c_str(), &by_name));
  scene.note("same inode", static_cast<long>(by_fd.st_ino == by_name.st_ino));
  scene.note("same device", static_cast<long>(by_fd.st_dev == by_name.st_dev));
}

POSIX_CASE(Stat, InodeNumbersTellFilesApart) {
  scene.make_file("first");
  scene.make_file("second");
  const ino_t first = attributes_of(scene, "first").st_ino;
  scene.note("differ", static_cast<long>(first != attributes_of(scene, "second").st_ino));
  scene.note("not zero", static_cast<long>(first != 0));
  scene.call("rename", ::rename(scene.path("first").c_str(), scene.path("third").c_str()));
  scene.note("kept over rename", static_cast<long>(first == attributes_of(scene, "third").st_ino));
}

POSIX_CASE(Stat, TimesAreNow) {
  const time_t before = ::time(nullptr);
  scene.make_file("file", "text");
  const struct stat attributes = attributes_of(scene, "file");
  // Time stamps may be finer than time(2), which lags by up to a tick.
  const time_t after = ::time(nullptr) + 1;
  const auto is_now = [&](time_t when) { return when >= before - 1 && when <= after; };
  scene.note("mtime", static_cast<long>(is_now(attributes.st_mtime)));
  scene.note("atime", static_cast<long>(is_now(attributes.st_atime)));
}

POSIX_CASE(Stat, ByStatx) {
  scene.make_file("file", "0123456789", 0604);
  struct statx attributes {};
  scene.call("statx", ::statx(AT_FDCWD, scene.path("file").c_str(), AT_SYMLINK_NOFOLLOW,
                              STATX_BASIC_STATS, &attributes));
  scene.note("size", static_cast<long>(attributes.stx_size));
  scene.note("mode", attributes.stx_mode);
  scene.call("forced", ::statx(AT_FDCWD, scene.path("file").c_str(), AT_STATX_FORCE_SYNC,
                               STATX_SIZE, &attributes));
}

POSIX_CASE(Stat, TheProtocolKnowsNoAllocation) {
  {
    const UniqueFd fd = scene.must_open("sparse", O_WRONLY | O_CREAT);
    scene.call("write", ::pwrite(fd.get(), "x", 1, 10 << 20));
  }
  scene.differs("st_blocks follows from the size: SFTP does not tell what is allocated");
  scene.note("small allocation",
             static_cast<long>(attributes_of(scene, "sparse").st_blocks < 1000));
}

POSIX_CASE(StatPermission, NeedsSearchPermissionOnly) {
  scene.make_dir("closed", 0700);
  scene.make_file("closed/file");
  scene.make_dir("search", 0711);
  scene.make_file("search/file", "text", 0600);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.stat("closed", "closed");
    other.stat("in closed", "closed/file");
    other.stat("in search", "search/file");
    other.stat("missing in search", "search/missing");
    other.list("listing needs more", "search");
  });
}

}  // namespace
}  // namespace sftpfs::test
