// utimensat(2) and futimens(3): explicit times, now, and leaving one alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <string>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Utimens, every_mount());

using Times = std::array<timespec, 2>;

long set_times(const Scene& scene, const char* name, const Times& times, int flags = 0) {
  return ::utimensat(AT_FDCWD, scene.path(name).c_str(), times.data(), flags);
}

// "now", or how long ago. Time stamps may be finer than time(2), which lags by up to a tick.
std::string age(time_t when) {
  const time_t seconds = ::time(nullptr) - when;
  return seconds >= -1 && seconds < 100 ? "now" : std::to_string(seconds) + " s ago";
}

POSIX_CASE(Utimens, ExplicitTimes) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  for (const char* name : {"file", "dir"}) {
    for (const time_t when : {time_t{0}, time_t{1}, time_t{1'000'000'000}, time_t{4'000'000'000}}) {
      scene.call("utimensat", set_times(scene, name, {{{when, 0}, {when + 5, 0}}}));
      scene.times("times", name);
    }
  }
  scene.call("missing", set_times(scene, "missing", {{{1, 0}, {1, 0}}}));
  scene.call("bad nanoseconds", set_times(scene, "file", {{{1, 2'000'000'000}, {1, 0}}}));
}

POSIX_CASE(Utimens, OneIsLeftAlone) {
  scene.make_file("file", "text");
  scene.call("set", set_times(scene, "file", {{{1000, 0}, {2000, 0}}}));
  scene.call("atime only", set_times(scene, "file", {{{3000, 0}, {0, UTIME_OMIT}}}));
  scene.times("atime only", "file");
  scene.call("mtime only", set_times(scene, "file", {{{0, UTIME_OMIT}, {4000, 0}}}));
  scene.times("mtime only", "file");
  scene.call("neither", set_times(scene, "file", {{{0, UTIME_OMIT}, {0, UTIME_OMIT}}}));
  scene.times("neither", "file");
}

POSIX_CASE(Utimens, Now) {
  scene.make_file("file", "text");
  scene.call("set", set_times(scene, "file", {{{1000, 0}, {2000, 0}}}));
  scene.call("mtime now", set_times(scene, "file", {{{0, UTIME_OMIT}, {0, UTIME_NOW}}}));
  struct stat attributes {};
  scene.call("stat", ::stat(scene.path("file").c_str(), &attributes));
  scene.note("atime is kept", static_cast<long>(attributes.st_atime));
  scene.note("mtime", age(attributes.st_mtime));
  scene.call("both", ::utimensat(AT_FDCWD, scene.path("file").c_str(), nullptr, 0));
  scene.call("stat", ::stat(scene.path("file").c_str(), &attributes));
  scene.note("atime", age(attributes.st_atime));
}

POSIX_CASE(Utimens, OfTheLinkItself) {
  scene.make_file("file", "text");
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.call("file", set_times(scene, "file", {{{1000, 0}, {2000, 0}}}));
  scene.call("link", set_times(scene, "link", {{{3000, 0}, {4000, 0}}}, AT_SYMLINK_NOFOLLOW));
  scene.times("link", "link");
  scene.times("file", "file");
  scene.call("dangling", set_times(scene, "dangling", {{{5, 0}, {6, 0}}}, AT_SYMLINK_NOFOLLOW));
  scene.times("dangling", "dangling");
  scene.call("through a dangling link", set_times(scene, "dangling", {{{5, 0}, {6, 0}}}));
}

POSIX_CASE(Utimens, HoldAfterWritesUnderWay) {
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    const std::string text(500'000, 'x');
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
    const Times times{{{1000, 0}, {2000, 0}}};
    scene.call("futimens", ::futimens(fd.get(), times.data()));
  }
  scene.times("after close", "file");
  struct stat attributes {};
  scene.call("stat on the server", ::stat(scene.backing("file").c_str(), &attributes));
  scene.note("mtime on the server", static_cast<long>(attributes.st_mtime));
}

POSIX_CASE(Utimens, WritingMovesTheTime) {
  scene.make_file("file", "text");
  scene.call("set", set_times(scene, "file", {{{1000, 0}, {2000, 0}}}));
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY);
    scene.call("write", ::write(fd.get(), "T", 1));
  }
  struct stat attributes {};
  scene.call("stat", ::stat(scene.path("file").c_str(), &attributes));
  scene.note("mtime", age(attributes.st_mtime));
}

POSIX_CASE(Utimens, OfTheFarFuture) {
  scene.make_file("file", "text");
  constexpr time_t kYear2100 = 4'102'444'800;
  scene.call("utimensat", set_times(scene, "file", {{{kYear2100, 0}, {kYear2100 + 1, 0}}}));
  scene.times("times", "file");
  scene.call("access time alone", set_times(scene, "file", {{{1, 0}, {0, UTIME_OMIT}}}));
  scene.times("times", "file");
}

POSIX_CASE(Utimens, BeforeTheProtocolsFirstSecondIsThatSecond) {
  scene.make_file("file", "text");
  scene.call("utimensat", set_times(scene, "file", {{{-1, 0}, {-1'000'000, 0}}}));
  scene.differs("times lie between 1970 and 2106: SFTP has 32 bits for them");
  scene.times("times", "file");
}

// As touch(1) does it: -a, -m and -h, on links to files, to directories and to nothing.
POSIX_CASE(Utimens, NeverOfWhatALinkLeadsTo) {
  constexpr timespec kOmit{0, UTIME_OMIT};
  constexpr timespec kThen{5000, 0};
  scene.make_file("file", "text");
  scene.make_dir("dir");
  scene.make_link("file", "to_file");
  scene.make_link("dir", "to_dir");
  scene.make_link("nothing", "to_nothing");
  for (const char* name : {"file", "dir"}) {
    scene.call(name, set_times(scene, name, {{{1000, 0}, {2000, 0}}}));
  }
  for (const char* name : {"to_file", "to_dir", "to_nothing"}) {
    scene.call("both", set_times(scene, name, {{{3000, 0}, {4000, 0}}}, AT_SYMLINK_NOFOLLOW));
    scene.call("access time", set_times(scene, name, {{kThen, kOmit}}, AT_SYMLINK_NOFOLLOW));
    scene.times(name, name);
    scene.call("change time", set_times(scene, name, {{kOmit, kThen}}, AT_SYMLINK_NOFOLLOW));
    scene.times(name, name);
  }
  scene.times("file", "file");
  scene.times("dir", "dir");
  struct stat attributes {};
  scene.call("on the server", ::stat(scene.backing("file").c_str(), &attributes));
  scene.note("still", static_cast<long>(attributes.st_mtime));
}

POSIX_CASE(Utimens, TheProtocolCountsSeconds) {
  scene.make_file("file", "text");
  scene.call("utimensat", set_times(scene, "file", {{{1000, 123'456'789}, {2000, 987'654'321}}}));
  struct stat attributes {};
  scene.call("stat", ::stat(scene.path("file").c_str(), &attributes));
  scene.differs("times are whole seconds: SFTP carries no fractions");
  scene.note("nanoseconds", static_cast<long>(attributes.st_mtim.tv_nsec));
}

}  // namespace
}  // namespace sftpfs::test
