// See sandbox.h.
#include "app/sandbox.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>

#include "base/log.h"

namespace sftpfs::app {
namespace {

#ifdef SFTPFS_INSTRUMENTED
constexpr bool kInstrumented = true;
#else
constexpr bool kInstrumented = false;
#endif

// ---- Landlock

// Newer than the oldest kernel headers that we build with.
constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;
constexpr int kTruncateSince = 3;
constexpr int kReferSince = 2;

constexpr std::uint64_t kFileChanges = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kDirectoryChanges =
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

Status allow_below(int ruleset, const std::string& path, std::uint64_t changes) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return fail(Error::system(errno, path));
  landlock_path_beneath_attr rule{};
  rule.allowed_access = changes;
  rule.parent_fd = place.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return fail(Error::system(errno, "landlock_add_rule for " + path));
  }
  return {};
}

Result<UniqueFd> make_ruleset(const std::vector<std::string>& writable) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) {
    log_info("this kernel has no Landlock; the sandbox does without");
    return UniqueFd();
  }
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = kFileChanges | kDirectoryChanges;
  if (version >= kReferSince) rules.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= kTruncateSince) rules.handled_access_fs |= kTruncate;
  UniqueFd ruleset(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0)));
  if (!ruleset) return fail(Error::system(errno, "landlock_create_ruleset"));
  Status allowed = allow_below(ruleset.get(), "/dev/null", kFileChanges);
  for (const std::string& directory : writable) {
    if (allowed) allowed = allow_below(ruleset.get(), directory, kFileChanges | kDirectoryChanges);
    // The last of a user's mounts takes the directory away.
    const std::string parent = directory.substr(0, directory.rfind('/'));
    if (allowed && ::geteuid() != 0) {
      allowed = allow_below(ruleset.get(), parent, LANDLOCK_ACCESS_FS_REMOVE_DIR);
    }
  }
  if (!allowed) return fail(allowed.error());
  return ruleset;
}

// ---- Capabilities

Status give_up_mounting() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return fail(Error::system(errno, "capget"));
  }
  constexpr unsigned kMounting = 1U << CAP_SYS_ADMIN;
  sets[0].permitted &= ~kMounting;
  sets[0].effective &= ~kMounting;
  sets[0].inheritable &= ~kMounting;
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return fail(Error::system(errno, "capset"));
  }
  return {};
}

// ---- seccomp

// What serving needs, of the C library's, libfuse's, libssh2's, OpenSSL's and name services' calls
// too. Names that the library or the machine does not know are skipped.
// clang-format off
constexpr std::string_view kAllowed[] = {
    // files
    "access", "close", "close_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2",
    "fadvise64", "fchdir", "chdir", "fcntl", "fcntl64", "fdatasync", "flock", "fstat",
    "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64",
    "getcwd", "getdents", "getdents64", "lseek", "_llseek", "lstat", "lstat64", "mkdir",
    "mkdirat", "newfstatat", "open", "openat", "openat2", "pipe", "pipe2", "pread64", "preadv",
    "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat",
    "readv", "rmdir", "sendfile", "sendfile64", "splice", "stat", "stat64", "statfs",
    "statfs64", "statx", "tee", "umask", "unlink", "unlinkat", "vmsplice", "write", "writev",
    "memfd_create", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "fgetxattr",
    "getxattr", "lgetxattr",
    // sockets
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
    "listen", "recv", "recvfrom", "recvmmsg", "recvmsg", "send", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
    // waiting
    "_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "poll", "ppoll", "ppoll_time64",
    "pselect6", "pselect6_time64", "select", "timerfd_create", "timerfd_gettime",
    "timerfd_settime", "timerfd_gettime64", "timerfd_settime64",
    // memory
    "brk", "madvise", "mincore", "mlock", "mlock2", "mmap", "mmap2", "mprotect", "mremap",
    "msync", "munlock", "munmap", "get_mempolicy", "membarrier",
    // threads, signals, time
    "arch_prctl", "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
    "clock_nanosleep", "clock_nanosleep_time64", "exit", "exit_group", "futex", "futex_time64",
    "futex_waitv", "get_robust_list", "getcpu", "getitimer", "gettid", "gettimeofday", "kill",
    "nanosleep", "pause", "pidfd_open", "pidfd_send_signal", "restart_syscall", "rseq",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_setaffinity", "sched_yield", "set_robust_list", "set_tid_address", "setitimer",
    "signalfd", "signalfd4", "sigaltstack", "sigreturn", "tgkill", "time", "timer_create",
    "timer_delete", "timer_settime", "tkill", "wait4", "waitid", "waitpid",
    // who we are
    "capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32",
    "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
    "getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit",
    "getrusage", "getsid", "getuid", "getuid32", "landlock_restrict_self", "prctl", "prlimit64",
    "setrlimit", "setsid", "sysinfo", "times", "ugetrlimit", "uname",
};
// clang-format on

// Nothing here calls these, and whoever does means ill.
// clang-format off
constexpr std::string_view kDeadly[] = {
    "acct", "add_key", "bpf", "chroot", "create_module", "delete_module", "finit_module",
    "fsconfig", "fsmount", "fsopen", "fspick", "init_module", "ioperm", "iopl",
    "io_uring_setup", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
    "mount", "mount_setattr", "move_mount", "nfsservctl", "open_by_handle_at", "open_tree",
    "perf_event_open", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev",
    "ptrace", "quotactl", "quotactl_fd", "reboot", "request_key", "setns", "settimeofday",
    "swapoff", "swapon", "unshare", "userfaultfd", "vhangup",
};
// clang-format on

// Refused as by an ordinary lack of rights: our own code may come by where it has changed its mind.
constexpr std::string_view kForbidden[] = {"execve", "execveat", "umount", "umount2"};

struct FilterDeleter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

template <class... Conditions>
Status add_rule(const Filter& filter, std::uint32_t action, std::string_view call,
                Conditions... conditions) {
  const int number = ::seccomp_syscall_resolve_name(std::string(call).c_str());
  if (number == __NR_SCMP_ERROR || number < 0) return {};
  const int rc = ::seccomp_rule_add(filter.get(), action, number,
                                    static_cast<unsigned>(sizeof...(conditions)), conditions...);
  // -EACCES: a rule that says what the default says.
  if (rc == 0 || rc == -EACCES) return {};
  return fail(Error::system(-rc, fmt::format("seccomp rule for {}", call)));
}

Status add_conditional_rules(const Filter& filter) {
  Status added;
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK}) {
    if (added) {
      added = add_rule(filter, SCMP_ACT_ALLOW, "socket",
                       scmp_arg_cmp{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0});
    }
  }
  // Threads, never processes or namespaces. Of clone3 nothing can be seen: without it the C library
  // uses clone.
  constexpr scmp_datum_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
  if (added) {
    added = add_rule(filter, SCMP_ACT_ALLOW, "clone",
                     scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kThread, kThread});
  }
  // Above all not TIOCSTI, which puts words into the mouth of who sits at the terminal. The kernel
  // looks at the lower half of the number.
  constexpr scmp_datum_t kRequestBits = 0xffffffff;
  for (const scmp_datum_t request :
       {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, TIOCOUTQ, SIOCGIFINDEX, SIOCGIFNAME}) {
    if (added) {
      added = add_rule(filter, SCMP_ACT_ALLOW, "ioctl",
                       scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, kRequestBits, request});
    }
  }
  return added;
}

Result<Filter> make_filter() {
  Filter filter(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!filter) return fail(ErrorCode::kUnsupported, "seccomp_init");
  Status added = add_conditional_rules(filter);
  const auto add_all = [&](std::uint32_t action, std::span<const std::string_view> calls) {
    for (const std::string_view call : calls) {
      if (added) added = add_rule(filter, action, call);
    }
  };
  add_all(SCMP_ACT_ALLOW, kAllowed);
  add_all(SCMP_ACT_KILL_PROCESS, kDeadly);
  add_all(SCMP_ACT_ERRNO(EPERM), kForbidden);
  if (!added) return fail(added.error());
  // no_new_privs is ours to set; all threads, or none.
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  if (::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) != 0) {
    return fail(ErrorCode::kUnsupported, "this kernel's seccomp cannot filter all threads");
  }
  return filter;
}

}  // namespace

Result<Sandbox> Sandbox::create(const std::vector<std::string>& writable) {
  if (kInstrumented) return Sandbox(UniqueFd());
  Result<UniqueFd> ruleset = make_ruleset(writable);
  if (!ruleset) return fail(ruleset.error());
  return Sandbox(std::move(*ruleset));
}

Status Sandbox::restrict_thread() const {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(Error::system(errno, "PR_SET_NO_NEW_PRIVS"));
  }
  if (const Status given_up = give_up_mounting(); !given_up) return given_up;
  if (ruleset_ && ::syscall(SYS_landlock_restrict_self, ruleset_.get(), 0) != 0) {
    return fail(Error::system(errno, "landlock_restrict_self"));
  }
  return {};
}

Status Sandbox::restrict_calls() {
  if (kInstrumented) return {};
  const Result<Filter> filter = make_filter();
  if (!filter) return fail(filter.error());
  const int rc = ::seccomp_load(filter->get());
  if (rc != 0) return fail(Error::system(-rc, "seccomp"));
  return {};
}

}  // namespace sftpfs::app
