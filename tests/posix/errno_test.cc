// The errno table: one situation a line, each in a directory of its own. What an application is
// told on the mount is what the server's own disk tells it. SFTP has nine words for failures, so
// most of these are found out by another question (fs/diagnose).
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "posix/errno_support.h"
#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Errno, every_mount());
POSIX_SUITE(ErrnoPermission, shared_mounts());

// Where a situation acts: a directory below the scene's.
class Place {
 public:
  Place(const Scene& scene, std::string name) : scene_(scene), name_(std::move(name)) {
    scene_.make_dir(name_);
  }
  std::string in(std::string_view name) const { return scene_.path(relative(name)); }
  std::string backing(std::string_view name) const { return scene_.backing(relative(name)); }
  std::string relative(std::string_view name) const { return name_ + "/" + std::string(name); }
  void file(std::string_view name, std::string_view text = "text", mode_t mode = 0644) const {
    scene_.make_file(relative(name), text, mode);
  }
  void dir(std::string_view name) const { scene_.make_dir(relative(name)); }
  void link(std::string_view target, std::string_view name) const {
    scene_.make_link(target, relative(name));
  }

 private:
  const Scene& scene_;
  std::string name_;
};

struct Situation {
  const char* what;
  void (*prepare)(const Place&);
  long (*act)(const Place&);
};

template <std::size_t kCount>
void run_table(Scene& scene, const std::array<Situation, kCount>& table) {
  for (std::size_t i = 0; i < kCount; ++i) {
    const Place place(scene, std::to_string(i));
    table[i].prepare(place);
    scene.call(table[i].what, table[i].act(place));
  }
}

long try_rename(const Place& at, const char* from, const char* to, unsigned flags = 0) {
  return sftpfs::test::try_rename(at.in(from), at.in(to), flags);
}

void nothing(const Place&) {}
void a_file(const Place& at) { at.file("a"); }
void two_files(const Place& at) {
  at.file("a");
  at.file("b");
}
void a_full_directory(const Place& at) {
  at.file("a");
  at.dir("d");
  at.file("d/f");
  at.dir("e");
}
void a_loop(const Place& at) {
  at.link("y", "x");
  at.link("x", "y");
  at.link("missing", "dangling");
}

POSIX_CASE(Errno, OfNamesThatAreTaken) {
  static constexpr std::array kTable{
      Situation{"mkdir on a file", a_file,
                [](const Place& at) -> long { return ::mkdir(at.in("a").c_str(), 0755); }},
      Situation{"mkdir on a directory", a_full_directory,
                [](const Place& at) -> long { return ::mkdir(at.in("d").c_str(), 0755); }},
      Situation{"mkdir on a dangling link", a_loop,
                [](const Place& at) -> long { return ::mkdir(at.in("dangling").c_str(), 0755); }},
      Situation{
          "exclusive create of a file", a_file,
          [](const Place& at) -> long { return try_open(at.in("a"), O_CREAT | O_EXCL | O_RDWR); }},
      Situation{
          "exclusive create of a directory", a_full_directory,
          [](const Place& at) -> long { return try_open(at.in("d"), O_CREAT | O_EXCL | O_RDWR); }},
      Situation{"exclusive create of a dangling link", a_loop,
                [](const Place& at) -> long {
                  return try_open(at.in("dangling"), O_CREAT | O_EXCL | O_RDWR);
                }},
      Situation{"symlink on a file", a_file,
                [](const Place& at) -> long { return ::symlink("t", at.in("a").c_str()); }},
      Situation{"symlink on a directory", a_full_directory,
                [](const Place& at) -> long { return ::symlink("t", at.in("d").c_str()); }},
      Situation{
          "link on a file", two_files,
          [](const Place& at) -> long { return ::link(at.in("a").c_str(), at.in("b").c_str()); }},
      Situation{
          "link on a directory", a_full_directory,
          [](const Place& at) -> long { return ::link(at.in("a").c_str(), at.in("d").c_str()); }},
      Situation{
          "mknod of a file on a file", a_file,
          [](const Place& at) -> long { return ::mknod(at.in("a").c_str(), S_IFREG | 0644, 0); }},
      Situation{"rename without replacing", two_files,
                [](const Place& at) -> long { return try_rename(at, "a", "b", RENAME_NOREPLACE); }},
      Situation{"rename without replacing a directory", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "e", "d", RENAME_NOREPLACE); }},
      Situation{
          "rename without replacing, of nothing", a_file,
          [](const Place& at) -> long { return try_rename(at, "none", "new", RENAME_NOREPLACE); }},
      Situation{
          "rename of nothing onto a file", a_file,
          [](const Place& at) -> long { return try_rename(at, "none", "a", RENAME_NOREPLACE); }},
  };
  run_table(scene, kTable);
}

POSIX_CASE(Errno, OfFilesAndDirectoriesMixedUp) {
  static constexpr std::array kTable{
      Situation{"rmdir of a full directory", a_full_directory,
                [](const Place& at) -> long { return ::rmdir(at.in("d").c_str()); }},
      Situation{"rmdir of a file", a_file,
                [](const Place& at) -> long { return ::rmdir(at.in("a").c_str()); }},
      Situation{"rmdir of nothing", nothing,
                [](const Place& at) -> long { return ::rmdir(at.in("a").c_str()); }},
      Situation{"rmdir of dot", a_full_directory,
                [](const Place& at) -> long { return ::rmdir(at.in("d/.").c_str()); }},
      Situation{"rmdir of dot dot", a_full_directory,
                [](const Place& at) -> long { return ::rmdir(at.in("d/..").c_str()); }},
      Situation{"rmdir of a link to a directory", a_full_directory,
                [](const Place& at) -> long {
                  at.link("e", "l");
                  return ::rmdir(at.in("l").c_str());
                }},
      Situation{"unlink of a directory", a_full_directory,
                [](const Place& at) -> long { return ::unlink(at.in("e").c_str()); }},
      Situation{"unlink of a file with a slash", a_file,
                [](const Place& at) -> long { return ::unlink(at.in("a/").c_str()); }},
      Situation{"unlink of nothing", nothing,
                [](const Place& at) -> long { return ::unlink(at.in("a").c_str()); }},
      Situation{"unlink below a file", a_file,
                [](const Place& at) -> long { return ::unlink(at.in("a/b").c_str()); }},
      Situation{"rename of a directory onto a full one", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "e", "d"); }},
      Situation{"rename of a directory onto a file", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "d", "a"); }},
      Situation{"rename of a file onto a directory", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "a", "d"); }},
      Situation{"rename of a file onto an empty directory", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "a", "e"); }},
      Situation{"rename of a directory into itself", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "d", "d/x"); }},
      Situation{"rename of a file onto its directory", a_full_directory,
                [](const Place& at) -> long { return try_rename(at, "d/f", "d"); }},
      Situation{"rename of nothing", nothing,
                [](const Place& at) -> long { return try_rename(at, "a", "b"); }},
      Situation{"rename into nothing", a_file,
                [](const Place& at) -> long { return try_rename(at, "a", "n/b"); }},
      Situation{"rename with bad flags", two_files,
                [](const Place& at) -> long {
                  return try_rename(at, "a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE);
                }},
      Situation{
          "link of a directory", a_full_directory,
          [](const Place& at) -> long { return ::link(at.in("d").c_str(), at.in("n").c_str()); }},
      Situation{
          "link of nothing", nothing,
          [](const Place& at) -> long { return ::link(at.in("a").c_str(), at.in("n").c_str()); }},
      Situation{"open of a directory for writing", a_full_directory,
                [](const Place& at) -> long { return try_open(at.in("d"), O_WRONLY); }},
      Situation{"creating a directory's name", a_full_directory,
                [](const Place& at) -> long { return try_open(at.in("d"), O_CREAT | O_RDWR); }},
      Situation{
          "open of a file as a directory", a_file,
          [](const Place& at) -> long { return try_open(at.in("a"), O_RDONLY | O_DIRECTORY); }},
      Situation{"open of a file with a slash", a_file,
                [](const Place& at) -> long { return try_open(at.in("a/"), O_RDONLY); }},
      Situation{"creating below a file", a_file,
                [](const Place& at) -> long { return try_open(at.in("a/b"), O_CREAT | O_RDWR); }},
      Situation{"creating below nothing", nothing,
                [](const Place& at) -> long { return try_open(at.in("a/b"), O_CREAT | O_RDWR); }},
      Situation{"open of nothing", nothing,
                [](const Place& at) -> long { return try_open(at.in("a"), O_RDWR); }},
      Situation{"truncate of a directory", a_full_directory,
                [](const Place& at) -> long { return ::truncate(at.in("d").c_str(), 0); }},
      Situation{"truncate of nothing", nothing,
                [](const Place& at) -> long { return ::truncate(at.in("d").c_str(), 0); }},
      Situation{"truncate to less than nothing", a_file,
                [](const Place& at) -> long { return ::truncate(at.in("a").c_str(), -1); }},
      Situation{"chdir to a file", a_file,
                [](const Place& at) -> long { return ::chdir(at.in("a").c_str()); }},
      Situation{"readlink of a file", a_file,
                [](const Place& at) -> long {
                  std::array<char, 10> text{};
                  return static_cast<long>(
                      ::readlink(at.in("a").c_str(), text.data(), text.size()));
                }},
      Situation{"symlink to nothing at all", nothing,
                [](const Place& at) -> long { return ::symlink("", at.in("l").c_str()); }},
      Situation{"mkdir below nothing", nothing,
                [](const Place& at) -> long { return ::mkdir(at.in("n/d").c_str(), 0755); }},
  };
  run_table(scene, kTable);
}

POSIX_CASE(Errno, OfLinksThatLeadNowhere) {
  static constexpr std::array kTable{
      Situation{"open of a loop", a_loop,
                [](const Place& at) -> long { return try_open(at.in("x"), O_RDONLY); }},
      Situation{"creating a loop", a_loop,
                [](const Place& at) -> long { return try_open(at.in("x"), O_CREAT | O_WRONLY); }},
      Situation{"a name below a loop", a_loop,
                [](const Place& at) -> long { return try_open(at.in("x/n"), O_RDONLY); }},
      Situation{"mkdir below a loop", a_loop,
                [](const Place& at) -> long { return ::mkdir(at.in("x/n").c_str(), 0755); }},
      Situation{"truncate of a loop", a_loop,
                [](const Place& at) -> long { return ::truncate(at.in("x").c_str(), 0); }},
      Situation{"chmod of a loop", a_loop,
                [](const Place& at) -> long { return ::chmod(at.in("x").c_str(), 0600); }},
      Situation{
          "not following a link", a_loop,
          [](const Place& at) -> long { return try_open(at.in("x"), O_RDONLY | O_NOFOLLOW); }},
      Situation{"open of a dangling link", a_loop,
                [](const Place& at) -> long { return try_open(at.in("dangling"), O_RDONLY); }},
      Situation{"utimens of a dangling link itself", a_loop,
                [](const Place& at) -> long {
                  return try_utimens(at.in("dangling"), AT_SYMLINK_NOFOLLOW);
                }},
      Situation{"chown of a dangling link itself", a_loop,
                [](const Place& at) -> long { return ::lchown(at.in("dangling").c_str(), 0, 0); }},
      Situation{"chown of a dangling link", a_loop,
                [](const Place& at) -> long { return ::chown(at.in("dangling").c_str(), 0, 0); }},
  };
  run_table(scene, kTable);
}

POSIX_CASE(Errno, OfNamesThatAreTooLong) {
  static const std::string name(256, 'n');
  static const std::string longest(255, 'n');
  static constexpr std::array kTable{
      Situation{"stat", nothing,
                [](const Place& at) -> long { return ::access(at.in(name).c_str(), F_OK); }},
      Situation{"create", nothing,
                [](const Place& at) -> long { return try_open(at.in(name), O_CREAT | O_RDWR); }},
      Situation{"mkdir", nothing,
                [](const Place& at) -> long { return ::mkdir(at.in(name).c_str(), 0755); }},
      Situation{"unlink", nothing,
                [](const Place& at) -> long { return ::unlink(at.in(name).c_str()); }},
      Situation{"rmdir", nothing,
                [](const Place& at) -> long { return ::rmdir(at.in(name).c_str()); }},
      Situation{"symlink", nothing,
                [](const Place& at) -> long { return ::symlink("t", at.in(name).c_str()); }},
      Situation{
          "link", a_file,
          [](const Place& at) -> long { return ::link(at.in("a").c_str(), at.in(name).c_str()); }},
      Situation{"rename", a_file,
                [](const Place& at) -> long { return try_rename(at, "a", name.c_str()); }},
      Situation{"rename from", a_file,
                [](const Place& at) -> long { return try_rename(at, name.c_str(), "a"); }},
      Situation{"below it", nothing,
                [](const Place& at) -> long { return ::mkdir(at.in(name + "/n").c_str(), 0755); }},
      Situation{"a target of 4096 bytes", nothing,
                [](const Place& at) -> long {
                  return ::symlink(std::string(4096, 't').c_str(), at.in("l").c_str());
                }},
      Situation{"a target of 4095 bytes", nothing,
                [](const Place& at) -> long {
                  return ::symlink(std::string(4095, 't').c_str(), at.in("l").c_str());
                }},
      Situation{"255 bytes are not", nothing,
                [](const Place& at) -> long { return try_open(at.in(longest), O_CREAT | O_RDWR); }},
  };
  run_table(scene, kTable);
}

POSIX_CASE(Errno, OfDirectoriesThatAreGone) {
  scene.make_dir("dir");
  const UniqueFd dir = scene.must_open("dir", O_RDONLY | O_DIRECTORY);
  scene.call("rmdir", ::rmdir(scene.path("dir").c_str()));
  scene.call("create in it", ::openat(dir.get(), "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  scene.call("mkdir in it", ::mkdirat(dir.get(), "d", 0755));
  scene.call("look in it", ::faccessat(dir.get(), "f", F_OK, 0));
  struct stat attributes {};
  scene.call("stat", ::fstat(dir.get(), &attributes));
  scene.call("again", ::rmdir(scene.path("dir").c_str()));
}

POSIX_CASE(Errno, OfDescriptorsUsedWrongly) {
  scene.make_file("file", "text");
  scene.make_dir("dir");
  const UniqueFd reader = scene.must_open("file", O_RDONLY);
  const UniqueFd writer = scene.must_open("file", O_WRONLY);
  const UniqueFd dir = scene.must_open("dir", O_RDONLY | O_DIRECTORY);
  std::array<char, 4> bytes{};
  scene.call("write to a reader", ::pwrite(reader.get(), "T", 1, 0));
  scene.call("read from a writer", ::pread(writer.get(), bytes.data(), bytes.size(), 0));
  scene.call("truncate a reader", ::ftruncate(reader.get(), 0));
  scene.call("truncate to less than nothing", ::ftruncate(writer.get(), -1));
  scene.call("read a directory", ::read(dir.get(), bytes.data(), bytes.size()));
  scene.call("write a directory", ::write(dir.get(), bytes.data(), bytes.size()));
  scene.call("truncate a directory", ::ftruncate(dir.get(), 0));
  scene.call("read before the start", ::pread(reader.get(), bytes.data(), bytes.size(), -1));
  scene.call("sync a reader", ::fsync(reader.get()));
  scene.call("sync a directory", ::fsync(dir.get()));
}

POSIX_CASE(ErrnoPermission, OfOtherUsers) {
  scene.make_file("mine", "text", 0600);
  scene.make_file("shown", "text", 0644);
  scene.make_dir("closed", 0700);
  scene.make_dir("shut", 0755);
  scene.make_file("shut/file", "text", 0666);
  scene.make_dir("sticky", 0777);
  scene.make_file("sticky/file", "text", 0666);
  scene.make_dir("sticky/dir");
  scene.set_mode("sticky", 01777);
  scene.make_link("shown", "link");
  scene.as_user(kOtherUser, [](Scene& other) {
    const auto path = [&other](const char* name) { return other.path(name); };
    other.call("open", try_open(path("mine"), O_RDONLY));
    other.call("open for writing", try_open(path("shown"), O_WRONLY));
    other.call("below a closed directory", try_open(path("closed/f"), O_RDONLY));
    other.call("create", try_open(path("new"), O_WRONLY | O_CREAT));
    other.call("mkdir", ::mkdir(path("new").c_str(), 0755));
    other.call("mkdir of what is there", ::mkdir(path("shut").c_str(), 0755));
    other.call("symlink", ::symlink("t", path("new").c_str()));
    other.call("unlink", ::unlink(path("shut/file").c_str()));
    other.call("unlink in a sticky directory", ::unlink(path("sticky/file").c_str()));
    other.call("rmdir in a sticky directory", ::rmdir(path("sticky/dir").c_str()));
    other.call("rename", ::rename(path("shut/file").c_str(), path("shut/new").c_str()));
    other.call("rename in a sticky directory",
               ::rename(path("sticky/file").c_str(), path("sticky/new").c_str()));
    other.call("chmod", ::chmod(path("shown").c_str(), 0666));
    other.call("chown", ::chown(path("shown").c_str(), kOtherUser, kOtherUser));
    other.call("lchown of a link", ::lchown(path("link").c_str(), kOtherUser, kOtherUser));
    other.call("utimens", try_utimens(path("shown")));
    other.call("utimens to now", ::utimensat(AT_FDCWD, path("shown").c_str(), nullptr, 0));
    other.call("utimens to now of what may be written",
               ::utimensat(AT_FDCWD, path("shut/file").c_str(), nullptr, 0));
    other.call("truncate", ::truncate(path("shown").c_str(), 0));
    other.call("truncate what may be written", ::truncate(path("shut/file").c_str(), 1));
    other.call("access", ::access(path("shown").c_str(), W_OK));
    other.call("list", try_open(path("closed"), O_RDONLY | O_DIRECTORY));
  });
  scene.list("nothing has changed", ".");
}

}  // namespace
}  // namespace sftpfs::test
