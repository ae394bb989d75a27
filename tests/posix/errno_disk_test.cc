// The errno table, continued: what the server's disk itself refuses, because it is read-only, full,
// another one, or because a file on it may not be changed.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "posix/errno_support.h"
#include "posix/parity.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(ErrnoDisk, every_waiting_mount());

// A file system of its own on the server's side; it goes away with the object.
class ServerDisk {
 public:
  ServerDisk(const Scene& scene, std::string_view name, const char* options)
      : path_(scene.backing(name)) {
    scene.make_dir(name);
    must(::mount("tmpfs", path_.c_str(), "tmpfs", 0, options), "mount tmpfs on " + path_);
  }
  ~ServerDisk() { ::umount2(path_.c_str(), MNT_DETACH); }
  ServerDisk(const ServerDisk&) = delete;
  ServerDisk& operator=(const ServerDisk&) = delete;
  void make_read_only() const {
    must(::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), "remount");
  }

 private:
  std::string path_;
};

POSIX_CASE(ErrnoDisk, OfADiskThatIsReadOnly) {
  const ServerDisk disk(scene, "ro", "size=1M");
  scene.make_file("ro/a", "text");
  scene.make_file("ro/b", "text");
  scene.make_dir("ro/d");
  scene.make_dir("ro/full");
  scene.make_file("ro/full/f");
  scene.make_link("a", "ro/l");
  scene.make_file("outside");
  disk.make_read_only();
  const auto in = [&scene](const char* name) { return scene.path(std::string("ro/") + name); };
  const auto path = [&in](const char* name) { return in(name); };
  scene.call("open for writing", try_open(path("a"), O_WRONLY));
  scene.call("open for both", try_open(path("a"), O_RDWR));
  scene.call("open to append", try_open(path("a"), O_WRONLY | O_APPEND));
  scene.call("open and truncate", try_open(path("a"), O_WRONLY | O_TRUNC));
  scene.call("open to read", try_open(path("a"), O_RDONLY));
  scene.call("create", try_open(path("new"), O_WRONLY | O_CREAT));
  scene.call("create exclusively", try_open(path("new"), O_WRONLY | O_CREAT | O_EXCL));
  scene.call("create what is there, to read", try_open(path("a"), O_RDONLY | O_CREAT));
  scene.call("create exclusively what is there", try_open(path("a"), O_RDWR | O_CREAT | O_EXCL));
  scene.call("mkdir", ::mkdir(path("new").c_str(), 0755));
  scene.call("mkdir of what is there", ::mkdir(path("d").c_str(), 0755));
  scene.call("symlink", ::symlink("a", path("new").c_str()));
  scene.call("link", ::link(path("a").c_str(), path("new").c_str()));
  scene.call("link of what is there", ::link(path("a").c_str(), path("b").c_str()));
  scene.call("unlink", ::unlink(path("a").c_str()));
  scene.differs(kSeveral);
  scene.call("unlink of nothing", ::unlink(path("new").c_str()));
  scene.call("rmdir", ::rmdir(path("d").c_str()));
  scene.call("rmdir of a full directory", ::rmdir(path("full").c_str()));
  scene.call("rename", ::rename(path("a").c_str(), path("new").c_str()));
  scene.call("rename onto another", ::rename(path("a").c_str(), path("b").c_str()));
  scene.call("rename out", ::rename(path("a").c_str(), scene.path("new").c_str()));
  scene.call("rename in", ::rename(scene.path("outside").c_str(), path("new").c_str()));
  scene.call("chmod", ::chmod(path("a").c_str(), 0600));
  scene.call("chown", ::chown(path("a").c_str(), 1, 1));
  scene.call("lchown", ::lchown(path("l").c_str(), 1, 1));
  scene.call("utimens", try_utimens(path("a")));
  scene.call("utimens of a link", try_utimens(path("l"), AT_SYMLINK_NOFOLLOW));
  scene.call("truncate", ::truncate(path("a").c_str(), 1));
  scene.contents("nothing has changed", "ro/a");
  scene.list("listed", "ro");
}

POSIX_CASE(ErrnoDisk, OfADiskWithoutRoom) {
  const ServerDisk disk(scene, "full", "size=64k");
  scene.make_file("full/a", "text");
  {
    const UniqueFd fd = scene.must_open("full/large", O_WRONLY | O_CREAT);
    const std::string text(256 << 10, 'x');
    const bool failed = ::write(fd.get(), text.data(), text.size()) < 0 || ::fsync(fd.get()) != 0 ||
                        ::write(fd.get(), text.data(), text.size()) < 0;
    scene.note("it is full at last", static_cast<long>(failed));
    scene.note("and that is why", std::string_view(errno_name(errno)));
  }
  {
    const UniqueFd fd = scene.must_open("full/a", O_RDWR);
    scene.call("what has its place can be changed", ::pwrite(fd.get(), "TEXT", 4, 0));
    scene.call("and synced", ::fsync(fd.get()));
  }
  scene.contents("changed", "full/a");
}

POSIX_CASE(ErrnoDisk, OfADiskWithoutRoomForNames) {
  const ServerDisk disk(scene, "full", "size=1M,nr_inodes=4");
  scene.make_file("full/a");
  scene.make_file("full/b");
  scene.make_dir("full/d");
  scene.call("create", try_open(scene.path("full/new"), O_WRONLY | O_CREAT));
  scene.call("mkdir", ::mkdir(scene.path("full/new").c_str(), 0755));
  scene.call("symlink", ::symlink("a", scene.path("full/new").c_str()));
  scene.call("mkdir of what is there", ::mkdir(scene.path("full/d").c_str(), 0755));
  scene.call("rename is possible",
             ::rename(scene.path("full/a").c_str(), scene.path("full/d/a").c_str()));
  scene.call("unlink", ::unlink(scene.path("full/b").c_str()));
  scene.call("create again", try_open(scene.path("full/new"), O_WRONLY | O_CREAT));
}

POSIX_CASE(ErrnoDisk, OfTwoDisks) {
  const ServerDisk disk(scene, "disk", "size=1M");
  scene.make_file("disk/a", "inside");
  scene.make_file("disk/f", "inside");
  scene.make_dir("disk/d");
  scene.make_file("b", "outside");
  scene.make_file("b2", "outside");
  scene.make_dir("e");
  scene.make_file("e/f");
  const auto path = [&scene](const char* name) { return scene.path(name); };
  scene.call("file to another", ::rename(path("disk/a").c_str(), path("a").c_str()));
  scene.call("file onto another", ::rename(path("disk/a").c_str(), path("b").c_str()));
  scene.differs(kSeveral);
  scene.call("file onto a directory", ::rename(path("disk/a").c_str(), path("e").c_str()));
  scene.call("directory to another", ::rename(path("disk/d").c_str(), path("d").c_str()));
  scene.call("directory onto a full one", ::rename(path("disk/d").c_str(), path("e").c_str()));
  scene.differs(kSeveral);
  scene.call("directory onto a file", ::rename(path("disk/d").c_str(), path("b").c_str()));
  scene.call("without replacing", ::renameat2(AT_FDCWD, path("disk/a").c_str(), AT_FDCWD,
                                              path("a").c_str(), RENAME_NOREPLACE));
  scene.differs(kSeveral);
  scene.call("without replacing, but taken", ::renameat2(AT_FDCWD, path("disk/a").c_str(), AT_FDCWD,
                                                         path("b").c_str(), RENAME_NOREPLACE));
  scene.call("link", ::link(path("disk/a").c_str(), path("a").c_str()));
  scene.call("link onto", ::link(path("disk/a").c_str(), path("b").c_str()));
  scene.call("link back", ::link(path("b").c_str(), path("disk/b").c_str()));
  scene.call("within", ::rename(path("disk/a").c_str(), path("disk/c").c_str()));
  scene.call("remove where it is", ::rmdir(path("disk").c_str()));
  scene.call("rename it", ::rename(path("disk").c_str(), path("moved").c_str()));
  scene.call("rename onto it", ::rename(path("e").c_str(), path("disk").c_str()));
  scene.list("listed", ".");
  scene.list("listed inside", "disk");
}

// Set on the server's side, as chattr(1) does.
void set_flags(const std::string& path, int flags) {
  const UniqueFd fd(must(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open " + path));
  int all = 0;
  must(::ioctl(fd.get(), FS_IOC_GETFLAGS, &all), "lsattr " + path);
  all = (all & ~(FS_IMMUTABLE_FL | FS_APPEND_FL)) | flags;
  must(::ioctl(fd.get(), FS_IOC_SETFLAGS, &all), "chattr " + path);
}

POSIX_CASE(ErrnoDisk, OfWhatMayNotBeChangedByAnybody) {
  scene.make_file("fixed", "text");
  scene.make_file("log", "text");
  scene.make_dir("dir");
  scene.make_file("dir/file", "text");
  set_flags(scene.backing("fixed"), FS_IMMUTABLE_FL);
  set_flags(scene.backing("log"), FS_APPEND_FL);
  set_flags(scene.backing("dir"), FS_IMMUTABLE_FL);
  const auto path = [&scene](const char* name) { return scene.path(name); };
  scene.differs(kOneWord);
  scene.call("open", try_open(path("fixed"), O_WRONLY));
  scene.differs(kOneWord);
  scene.call("unlink", ::unlink(path("fixed").c_str()));
  scene.differs(kOneWord);
  scene.call("rename", ::rename(path("fixed").c_str(), path("moved").c_str()));
  scene.differs(kOneWord);
  scene.call("link", ::link(path("fixed").c_str(), path("moved").c_str()));
  scene.differs(kOneWord);
  scene.call("truncate", ::truncate(path("fixed").c_str(), 0));
  scene.call("chmod", ::chmod(path("fixed").c_str(), 0600));
  scene.call("chown", ::chown(path("fixed").c_str(), 1, 1));
  scene.call("utimens", try_utimens(path("fixed")));
  scene.call("read", try_open(path("fixed"), O_RDONLY));
  scene.differs(kOneWord);
  scene.call("overwrite a log", try_open(path("log"), O_WRONLY));
  scene.differs(kOneWord);
  scene.call("empty a log", ::truncate(path("log").c_str(), 0));
  scene.call("append to a log", try_open(path("log"), O_WRONLY | O_APPEND));
  scene.differs(kOneWord);
  scene.call("create in a fixed directory", try_open(path("dir/new"), O_WRONLY | O_CREAT));
  scene.differs(kOneWord);
  scene.call("mkdir there", ::mkdir(path("dir/new").c_str(), 0755));
  scene.differs(kOneWord);
  scene.call("unlink there", ::unlink(path("dir/file").c_str()));
  scene.differs(kOneWord);
  scene.call("rename there", ::rename(path("dir/file").c_str(), path("dir/new").c_str()));
  scene.differs(kOneWord);
  scene.call("rename out of it", ::rename(path("dir/file").c_str(), path("new").c_str()));
  scene.differs(kOneWord);
  scene.call("rmdir of it", ::rmdir(path("dir").c_str()));
  for (const char* name : {"fixed", "log", "dir"}) set_flags(scene.backing(name), 0);
}

POSIX_CASE(ErrnoDisk, OfProgrammesThatRun) {
  {
    const UniqueFd from(must(::open("/bin/sleep", O_RDONLY | O_CLOEXEC), "open /bin/sleep"));
    const UniqueFd to = scene.must_open("sleep", O_WRONLY | O_CREAT, 0755);
    std::string bytes(1 << 20, '\0');
    const ssize_t count = must(::read(from.get(), bytes.data(), bytes.size()), "read");
    must(::write(to.get(), bytes.data(), static_cast<std::size_t>(count)), "write");
  }
  scene.set_mode("sleep", 0755);
  const std::string path = scene.path("sleep");
  UniqueFd held = scene.must_open("sleep", O_WRONLY);
  const auto start = [&path] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl(path.c_str(), "sleep", "100", nullptr);
      ::_exit(errno);
    }
    return child;
  };
  const pid_t refused = must(start(), "fork");
  int status = 0;
  must(::waitpid(refused, &status, 0), "waitpid");
  scene.note("running what is open for writing", std::string_view(errno_name(WEXITSTATUS(status))));
  held.reset();
  // It runs when this pipe, which execve(2) closes, is at its end.
  std::array<int, 2> pipe{};
  must(::pipe2(pipe.data(), O_CLOEXEC), "pipe");
  const pid_t running = must(start(), "fork");
  ::close(pipe[1]);
  char byte = 0;
  must(::read(pipe[0], &byte, 1), "read");
  ::close(pipe[0]);
  scene.call("writing what runs", try_open(path, O_WRONLY));
  scene.call("truncating what runs", ::truncate(path.c_str(), 0));
  ::kill(running, SIGKILL);
  must(::waitpid(running, &status, 0), "waitpid");
  scene.call("writing what has ended", try_open(path, O_WRONLY));
}

}  // namespace
}  // namespace sftpfs::test
