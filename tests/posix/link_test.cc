// link(2): a second name for a file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Link, every_mount());

long link_names(const Scene& scene, const char* from, const char* to) {
  return ::link(scene.path(from).c_str(), scene.path(to).c_str());
}

POSIX_CASE(Link, BothNamesLeadToTheFile) {
  scene.make_file("first", "text", 0604);
  scene.call("link", link_names(scene, "first", "second"));
  scene.contents("second", "second");
  scene.stat("second", "second");
  scene.list("listed", ".");
  scene.call("unlink first", ::unlink(scene.path("first").c_str()));
  scene.contents("second remains", "second");
  scene.stat("first is gone", "first");
}

POSIX_CASE(Link, WritesAreSeenUnderBothNames) {
  scene.make_file("first", "text");
  scene.call("link", link_names(scene, "first", "second"));
  {
    const UniqueFd fd = scene.must_open("second", O_WRONLY | O_APPEND);
    scene.call("append", ::write(fd.get(), " and more", 9));
  }
  scene.contents("first", "first");
  scene.contents("second", "second");
}

POSIX_CASE(Link, BadNames) {
  scene.make_file("file", "text");
  scene.make_file("other", "text");
  scene.make_dir("dir");
  scene.call("missing", link_names(scene, "missing", "new"));
  scene.call("existing target", link_names(scene, "file", "other"));
  scene.call("itself", link_names(scene, "file", "file"));
  scene.call("directory", link_names(scene, "dir", "new"));
  scene.call("onto a directory", link_names(scene, "file", "dir"));
  scene.call("into a missing directory", link_names(scene, "file", "missing/new"));
  scene.call("below a file", link_names(scene, "file", "other/new"));
  scene.list("nothing was made", ".");
}

POSIX_CASE(Link, OfALinkIsALink) {
  scene.make_file("file", "text");
  scene.make_link("file", "link");
  scene.call("link", link_names(scene, "link", "copy"));
  scene.lstat("copy", "copy");
  scene.contents("through the copy", "copy");
}

POSIX_CASE(Link, TheProtocolCountsNoNames) {
  scene.make_file("first", "text");
  scene.call("link", link_names(scene, "first", "second"));
  struct stat attributes {};
  scene.call("stat", ::stat(scene.path("second").c_str(), &attributes));
  scene.differs("st_nlink is 1: SFTP does not tell how many names a file has");
  scene.note("names", static_cast<long>(attributes.st_nlink));
}

}  // namespace
}  // namespace sftpfs::test
