// statvfs(3): the server's own figures.
#include <sys/statvfs.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Statvfs, every_mount());

POSIX_CASE(Statvfs, ShowsTheServersFileSystem) {
  struct statvfs figures {};
  scene.call("statvfs", ::statvfs(scene.dir().c_str(), &figures));
  scene.note("size in bytes", static_cast<long>(figures.f_blocks * figures.f_frsize));
  scene.note("inodes", static_cast<long>(figures.f_files));
  scene.note("longest name", static_cast<long>(figures.f_namemax));
  scene.note("something is free", static_cast<long>(figures.f_bavail > 0));
  scene.note("free is part of all", static_cast<long>(figures.f_bfree <= figures.f_blocks));
}

POSIX_CASE(Statvfs, OfAFileAndOfNothing) {
  scene.make_file("file", "text");
  struct statvfs figures {};
  scene.call("file", ::statvfs(scene.path("file").c_str(), &figures));
  scene.call("missing", ::statvfs(scene.path("missing").c_str(), &figures));
}

}  // namespace
}  // namespace sftpfs::test
