// See containment.h.
#include "support/containment.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string>

#include "base/unique_fd.h"
#include "support/deadline.h"
#include "support/mounts.h"
#include "support/process_table.h"
#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr const char* kPrivateMark = "SFTPFS_TEST_PRIVATE_NAMESPACES";
// Servers need a moment to notice that a connection has ended.
constexpr std::chrono::seconds kOrphanGrace{5};

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

std::set<std::string> mount_points() {
  std::set<std::string> points;
  for (const MountEntry& entry : mounted()) points.insert(entry.mount_point);
  return points;
}

// Waits for the tests, then until no child is left or the deadline passes; reaps all on the way.
class Children {
 public:
  explicit Children(pid_t tests) : tests_(tests) {}

  int wait_for_tests() {
    while (!tests_ended_ && reap_one(0)) {
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1;
  }
  // False when children are left.
  bool wait_for_orphans(const Deadline& deadline) {
    const sigset_t child_ended = signal_set({SIGCHLD});
    while (true) {
      while (reap_one(WNOHANG)) {
      }
      if (errno == ECHILD) return true;
      if (deadline.passed()) return false;
      const int left_ms = deadline.remaining_ms();
      const timespec left{left_ms / 1000, (left_ms % 1000) * 1'000'000L};
      ::sigtimedwait(&child_ended, nullptr, &left);
    }
  }

 private:
  bool reap_one(int flags) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, flags | __WALL);
    if (pid < 0 && errno == EINTR) return true;
    if (pid <= 0) {
      if (pid == 0) errno = 0;
      return false;
    }
    if (pid == tests_) {
      tests_ended_ = true;
      status_ = status;
    }
    return true;
  }

  pid_t tests_;
  bool tests_ended_ = false;
  int status_ = 0;
};

// Makes /dev/fuse usable by every user of this namespace, as udev does on a whole system; the
// node is a new one, so that nothing changes outside.
void open_fuse_device(const std::string& directory) {
  struct stat device {};
  if (::stat("/dev/fuse", &device) != 0 || (device.st_mode & 0006) == 0006) return;
  const std::string node = directory + "/.fuse";
  if (::mknod(node.c_str(), S_IFCHR | 0666, device.st_rdev) != 0) return;
  ::chmod(node.c_str(), 0666);
  ::mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr);
  ::unlink(node.c_str());
}

void enter_mount_namespace(const std::string& directory) {
  must(::unshare(CLONE_NEWNS), "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "making mounts private");
  must(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mount /proc");
  open_fuse_device(directory);
  // Control sockets and records of daemons that tests kill must not stay.
  for (const char* path : {"/run/sftpfs", "/run/mount"}) {
    ::mkdir(path, 0755);
    ::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  }
}

// Names what is left; returns whether there was anything.
bool report_leftovers(const std::set<std::string>& mounts_before, const std::string& directory) {
  bool found = false;
  for (const pid_t pid : descendants(::getpid())) {
    std::fprintf(stderr, "left behind: process %s\n", describe_process(pid).c_str());
    found = true;
  }
  for (const std::string& point : mount_points()) {
    if (mounts_before.count(point) != 0) continue;
    std::fprintf(stderr, "left behind: mount %s\n", point.c_str());
    found = true;
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::fprintf(stderr, "left behind: file %s\n", entry.path().c_str());
    found = true;
  }
  return found;
}

// Runs in the keeper; returns the exit code of the whole run. `mask` is what the tests start with.
int keep(const std::function<int()>& tests, const std::string& directory, bool private_namespaces,
         const sigset_t& mask) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (private_namespaces) {
    enter_mount_namespace(directory);
    ::setenv(kPrivateMark, "1", 1);
  }
  ::setenv("TMPDIR", directory.c_str(), 1);
  const std::set<std::string> mounts_before = mount_points();
  const pid_t pid = must(::fork(), "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    // Not _exit(): sanitizers look for leaks when a process exits.
    std::exit(tests());
  }
  Children children(pid);
  int result = children.wait_for_tests();
  children.wait_for_orphans(Deadline(kOrphanGrace));
  if (report_leftovers(mounts_before, directory) && result == 0) result = 1;
  for (const pid_t left : descendants(::getpid())) ::kill(left, SIGKILL);
  children.wait_for_orphans(Deadline(kOrphanGrace));
  return result;
}

// Waits for the keeper, or ends it when a signal ends us, and returns the exit code of the run.
int wait_for_keeper(pid_t keeper, bool private_namespaces) {
  const sigset_t awaited = signal_set({SIGCHLD, SIGTERM, SIGINT, SIGHUP});
  while (true) {
    int signal = 0;
    ::sigwait(&awaited, &signal);
    if (signal != SIGCHLD) {
      // With its first process a whole PID namespace ends.
      if (!private_namespaces) kill_tree(keeper, Deadline(kOrphanGrace));
      ::kill(keeper, SIGKILL);
      ::waitpid(keeper, nullptr, 0);
      return 128 + signal;
    }
    int status = 0;
    if (::waitpid(keeper, &status, WNOHANG) != keeper) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
}

}  // namespace

bool in_private_namespaces() { return std::getenv(kPrivateMark) != nullptr; }

int run_contained(const std::function<int()>& tests) {
  const TempDir directory;
  // Refused without root, and by containers that may not make namespaces: then do without.
  const UniqueFd own_namespace(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  const bool private_namespaces = ::unshare(CLONE_NEWPID) == 0;
  std::fflush(nullptr);
  // From before the fork, so that no signal falls between; the keeper waits for SIGCHLD, too.
  const sigset_t awaited = signal_set({SIGCHLD, SIGTERM, SIGINT, SIGHUP});
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, &awaited, &mask);
  const pid_t parent = ::getpid();
  const pid_t keeper = must(::fork(), "fork");
  if (keeper == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!private_namespaces && ::getppid() != parent) ::_exit(1);
    const int result = keep(tests, directory.path(), private_namespaces, mask);
    std::fflush(nullptr);
    ::_exit(result);
  }
  // The keeper's namespace is for the keeper: once that has ended, nothing could be started in it.
  if (private_namespaces) must(::setns(own_namespace.get(), CLONE_NEWPID), "setns");
  return wait_for_keeper(keeper, private_namespaces);
}

}  // namespace sftpfs::test
