// truncate(2) and ftruncate(2): sizes down and up, with and without writes under way.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Truncate, every_server());
POSIX_SUITE(TruncatePermission, shared_mounts());

POSIX_CASE(Truncate, ByName) {
  scene.make_file("file", "0123456789");
  for (const off_t size : {10, 5, 0, 7, 100'000}) {
    scene.call("truncate", ::truncate(scene.path("file").c_str(), size));
    scene.contents("contents", "file");
    scene.stored("stored", "file");
  }
}

POSIX_CASE(Truncate, BadArguments) {
  scene.make_file("file", "0123456789");
  scene.make_dir("dir");
  scene.call("negative", ::truncate(scene.path("file").c_str(), -1));
  scene.call("missing", ::truncate(scene.path("missing").c_str(), 0));
  scene.call("directory", ::truncate(scene.path("dir").c_str(), 0));
  const UniqueFd reader = scene.must_open("file", O_RDONLY);
  scene.call("read-only descriptor", ::ftruncate(reader.get(), 0));
  scene.contents("unchanged", "file");
}

POSIX_CASE(Truncate, WithWritesUnderWay) {
  const std::string text = numbered_text(600'000);
  {
    const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
    scene.call("shrink", ::ftruncate(fd.get(), 300'001));
    scene.fstat("size", fd.get());
    scene.call("write at the old end", ::write(fd.get(), "end", 3));
    scene.call("shrink by name", ::truncate(scene.path("file").c_str(), 599'000));
    scene.read_at("hole", fd.get(), 299'990, 50);
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Truncate, WhatWasCutOffComesBackAsZeros) {
  scene.make_file("file", numbered_text(10'000));
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.read_at("read it into every cache", fd.get(), 0, 10'000);
  scene.call("shrink", ::ftruncate(fd.get(), 100));
  scene.call("grow", ::ftruncate(fd.get(), 10'000));
  scene.read_at("read", fd.get(), 0, 10'000);
  scene.read_at("edge", fd.get(), 90, 50);
}

POSIX_CASE(Truncate, FollowsLinks) {
  scene.make_file("file", "0123456789");
  scene.make_link("file", "link");
  scene.call("truncate", ::truncate(scene.path("link").c_str(), 4));
  scene.lstat("link", "link");
  scene.contents("file", "file");
}

POSIX_CASE(Truncate, ALargeSizeCostsNothing) {
  scene.make_file("file", "start");
  scene.call("truncate", ::truncate(scene.path("file").c_str(), 5LL << 32));
  scene.stat("attributes", "file");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.read_at("far away", fd.get(), (5LL << 32) - 10, 100);
}

POSIX_CASE(TruncatePermission, NeedsWritePermission) {
  scene.make_file("file", "0123456789", 0644);
  scene.make_file("free", "0123456789", 0666);
  scene.as_user(kOtherUser, [](Scene& other) {
    other.call("truncate", ::truncate(other.path("file").c_str(), 0));
    other.call("truncate", ::truncate(other.path("free").c_str(), 2));
  });
  scene.contents("file", "file");
  scene.contents("free", "free");
}

}  // namespace
}  // namespace sftpfs::test
