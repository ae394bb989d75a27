// opendir(3), readdir(3), telldir(3), seekdir(3), rewinddir(3).
#include <dirent.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Readdir, every_server());

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_dir(const Scene& scene, const char* name) {
  return {::opendir(scene.path(name).c_str()), &::closedir};
}

void make_files(const Scene& scene, const std::string& dir, int count) {
  for (int i = 0; i < count; ++i) scene.make_file(dir + "/file" + std::to_string(i));
}

std::multiset<std::string> names_left(DIR* dir) {
  std::multiset<std::string> names;
  while (const dirent* entry = ::readdir(dir)) names.insert(entry->d_name);
  return names;
}

POSIX_CASE(Readdir, HoldsDotAndDotDotOnce) {
  scene.make_dir("dir");
  const Directory dir = open_dir(scene, "dir");
  for (const std::string& name : names_left(dir.get())) scene.note("name", name);
}

POSIX_CASE(Readdir, EveryKindOfEntry) {
  scene.make_file("file");
  scene.make_dir("dir");
  scene.make_link("file", "link");
  scene.make_link("missing", "dangling");
  scene.make_file(".hidden");
  scene.list("listed", ".");
}

POSIX_CASE(Readdir, BadNames) {
  scene.make_file("file");
  scene.list("file", "file");
  scene.list("missing", "missing");
}

POSIX_CASE(Readdir, EachOfManyNamesOnce) {
  scene.make_dir("dir");
  make_files(scene, "dir", 2500);
  const Directory dir = open_dir(scene, "dir");
  const std::multiset<std::string> names = names_left(dir.get());
  scene.note("names", static_cast<long>(names.size()));
  scene.note("different names", static_cast<long>(std::set(names.begin(), names.end()).size()));
  scene.list("listed", "dir");
}

POSIX_CASE(Readdir, EntriesHaveTheInodeThatStatShows) {
  scene.make_file("file");
  scene.make_dir("dir");
  const Directory dir = open_dir(scene, ".");
  long same = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat attributes {};
    scene.call("lstat", ::lstat(scene.path(name).c_str(), &attributes));
    if (attributes.st_ino == entry->d_ino) ++same;
  }
  scene.note("same inode", same);
}

POSIX_CASE(Readdir, SeekReturnsToAPosition) {
  scene.make_dir("dir");
  make_files(scene, "dir", 300);
  const Directory dir = open_dir(scene, "dir");
  for (int i = 0; i < 150; ++i) ::readdir(dir.get());
  const long position = ::telldir(dir.get());
  const std::multiset<std::string> rest = names_left(dir.get());
  scene.note("rest", static_cast<long>(rest.size()));
  ::seekdir(dir.get(), position);
  scene.note("the same rest", static_cast<long>(names_left(dir.get()) == rest));
}

POSIX_CASE(Readdir, RewindSeesWhatIsNew) {
  scene.make_dir("dir");
  make_files(scene, "dir", 10);
  const Directory dir = open_dir(scene, "dir");
  scene.note("at first", static_cast<long>(names_left(dir.get()).size()));
  scene.make_file("dir/new");
  scene.call("unlink", ::unlink(scene.path("dir/file3").c_str()));
  ::rewinddir(dir.get());
  const std::multiset<std::string> names = names_left(dir.get());
  scene.note("after rewind", static_cast<long>(names.size()));
  scene.note("new", static_cast<long>(names.count("new")));
  scene.note("removed", static_cast<long>(names.count("file3")));
  scene.list("and for everybody", "dir");
}

POSIX_CASE(Readdir, RemovingWhileReading) {
  scene.make_dir("dir");
  make_files(scene, "dir", 1200);
  const Directory dir = open_dir(scene, "dir");
  long removed = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlink(scene.path("dir/" + name).c_str()) == 0) ++removed;
  }
  scene.note("removed", removed);
  scene.call("rmdir", ::rmdir(scene.path("dir").c_str()));
}

POSIX_CASE(Readdir, ShowsEveryChangeAtOnce) {
  scene.make_dir("dir");
  for (int i = 0; i < 10; ++i) {
    scene.make_file("dir/file" + std::to_string(i));
    scene.list("after create", "dir");
  }
  scene.call("rename", ::rename(scene.path("dir/file1").c_str(), scene.path("dir/x").c_str()));
  scene.list("after rename", "dir");
  scene.call("mkdir", ::mkdir(scene.path("dir/sub").c_str(), 0755));
  scene.list("after mkdir", "dir");
  scene.call("unlink", ::unlink(scene.path("dir/x").c_str()));
  scene.list("after unlink", "dir");
}

}  // namespace
}  // namespace sftpfs::test
