// symlink(2) and readlink(2).
#include <unistd.h>

#include <array>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Symlink, every_server());

void record_target(Scene& scene, const char* name, std::size_t size = 8192) {
  std::string target(size, '\0');
  const ssize_t count = ::readlink(scene.path(name).c_str(), target.data(), size);
  scene.call("readlink", count);
  if (count >= 0) {
    scene.note("target", show_bytes({target.data(), static_cast<std::size_t>(count)}));
  }
}

POSIX_CASE(Symlink, KeepsItsTargetAsItIs) {
  int number = 0;
  for (const char* target : {"file", "../up", "/absolute/path", "a/../b//c/./d", "trailing/",
                             "with space", "\xff\xfe", "new\nline"}) {
    const std::string name = "link" + std::to_string(number++);
    scene.call("symlink", ::symlink(target, scene.path(name).c_str()));
    record_target(scene, name.c_str());
    scene.lstat("attributes", name);
  }
}

POSIX_CASE(Symlink, TargetsOfEveryLength) {
  for (const std::size_t length : {1U, 255U, 256U, 1000U, 4000U, 4095U, 4096U}) {
    const std::string name = "link" + std::to_string(length);
    const std::string target(length, 't');
    scene.call("symlink", ::symlink(target.c_str(), scene.path(name).c_str()));
    record_target(scene, name.c_str());
  }
  scene.call("empty target", ::symlink("", scene.path("empty").c_str()));
}

POSIX_CASE(Symlink, BadNames) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.make_link("missing", "dangling");
  for (const char* name : {"file", "dir", "dangling", "missing/name", "file/name", "dir/"}) {
    scene.call(name, ::symlink("target", scene.path(name).c_str()));
  }
}

POSIX_CASE(Symlink, OnlyLinksHaveTargets) {
  scene.make_file("file");
  scene.make_dir("dir");
  record_target(scene, "file");
  record_target(scene, "dir");
  record_target(scene, "missing");
}

POSIX_CASE(Symlink, ShortBuffersCutTheTarget) {
  scene.make_link("0123456789", "link");
  record_target(scene, "link", 4);
}

POSIX_CASE(Symlink, LeadsThroughDirectories) {
  scene.make_dir("real");
  scene.make_dir("real/deep");
  scene.make_file("real/deep/file", "text");
  scene.make_link("real", "one");
  scene.make_link("one/deep", "two");
  scene.contents("through two links", "two/file");
  scene.contents("up through a link", "two/../deep/file");
  scene.list("listing through a link", "two");
  scene.call("unlink removes the link", ::unlink(scene.path("two").c_str()));
  scene.contents("file is still there", "real/deep/file");
}

POSIX_CASE(Symlink, ChainsHaveAnEnd) {
  scene.make_file("link0", "text");
  for (int i = 1; i <= 45; ++i) {
    scene.make_link("link" + std::to_string(i - 1), "link" + std::to_string(i));
  }
  scene.contents("40 links", "link40");
  scene.contents("41 links", "link41");
  scene.make_link("b", "a");
  scene.make_link("a", "b");
  scene.contents("a loop", "a");
}

}  // namespace
}  // namespace sftpfs::test
