// See mountpoint.h.
#include "app/mountpoint.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "app/values.h"
#include "base/printable.h"
#include "ctl/mount_table.h"

namespace sftpfs::app {

using ctl::find_mount;
using ctl::MountEntry;
using ctl::read_mount_table;

namespace {

// Dead mounts on top of each other, as a supervisor that restarts us may have left them.
constexpr int kDeadMountsMax = 16;

tl::unexpected<Error> wrong(ErrorCode code, const std::string& path, std::string_view cause) {
  return fail(code, fmt::format("mount point '{}': {}", printable(path), cause));
}

Result<Mountpoint> check_device(const std::string& path) {
  const Result<std::uint64_t> number = parse_number(std::string_view(path).substr(kDevFd.size()));
  if (!number || *number > INT_MAX) return wrong(ErrorCode::kInvalid, path, "no number of a file");
  const int fd = static_cast<int>(*number);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return wrong(ErrorCode::kInvalid, path, "no such open file; the caller must pass /dev/fuse");
  }
  if (!S_ISCHR(status.st_mode)) return wrong(ErrorCode::kInvalid, path, "not a FUSE device");
  Mountpoint mountpoint;
  mountpoint.path = path;
  mountpoint.fuse_fd = fd;
  return mountpoint;
}

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                             &std::free);
  if (!resolved) return std::nullopt;
  return std::string(resolved.get());
}

// As /proc/self/mountinfo writes it, also when what is mounted there is dead and cannot be looked
// at. Sets errno on failure.
std::optional<std::string> absolute_path(std::string path) {
  // A slash at the end would wake an automounter.
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (std::optional<std::string> real = real_path(path)) return real;
  if (errno != ENOTCONN) return std::nullopt;

  const std::size_t slash = path.rfind('/');
  const bool relative = slash == std::string::npos;
  std::optional<std::string> real = real_path(relative ? "." : path.substr(0, slash + 1));
  if (!real) return std::nullopt;
  if (*real != "/") real->push_back('/');
  return *real + (relative ? path : path.substr(slash + 1));
}

tl::unexpected<Error> cannot_use(const std::string& path, int os_errno) {
  switch (os_errno) {
    case ENOENT:
      return wrong(ErrorCode::kInvalid, path,
                   fmt::format("no such directory; make it with: mkdir -p {}", printable(path)));
    case EACCES: return wrong(ErrorCode::kInvalid, path, "you may not look at it");
    default: return wrong(ErrorCode::kInvalid, path, std::strerror(os_errno));
  }
}

// Attributes that the kernel still knows say nothing about the programme behind them.
bool is_dead(const std::string& path) {
  struct statx status {};
  constexpr int kFlags = AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT;
  return ::statx(AT_FDCWD, path.c_str(), kFlags, STATX_TYPE, &status) != 0 && errno == ENOTCONN;
}

// Clears away dead mounts of ours; those of others are theirs to clear.
Status detach_dead_mounts(const Config& config, const std::string& path) {
  for (int i = 0; i < kDeadMountsMax; ++i) {
    if (!is_dead(path)) return {};
    const Result<std::vector<MountEntry>> table = read_mount_table();
    if (!table) return fail(table.error());
    const std::optional<MountEntry> top = find_mount(*table, path);
    if (!top || top->type != fuse_type(config)) {
      return wrong(
          ErrorCode::kBusy, path,
          fmt::format("a dead mount ({}) is in the way; detach it with: fusermount3 -u -z {}",
                      top ? top->type : "unknown", printable(path)));
    }
    const Status detached = detach_mount(path);
    if (!detached) return detached;
  }
  return wrong(ErrorCode::kBusy, path, "too many dead mounts on top of each other");
}

Status check_directory(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return cannot_use(path, errno);
  if (!S_ISDIR(status.st_mode)) return wrong(ErrorCode::kInvalid, path, "not a directory");
  if (::geteuid() == 0) return {};
  // What fusermount3 asks of everybody but root.
  if (::access(path.c_str(), R_OK | X_OK) != 0) {
    return wrong(ErrorCode::kInvalid, path, "you may not read it");
  }
  if (::access(path.c_str(), W_OK) != 0) {
    return wrong(ErrorCode::kInvalid, path, "only root may mount on a directory you may not write");
  }
  return {};
}

}  // namespace

std::string fuse_type(const Config& config) { return "fuse." + config.subtype; }

Result<std::string> mountpoint_path(const std::string& given) {
  const std::optional<std::string> path = absolute_path(given);
  if (!path) return cannot_use(given, errno);
  return *path;
}

Result<Mountpoint> prepare_mountpoint(const Config& config) {
  const std::string& given = config.mountpoint;
  if (given.starts_with(kDevFd)) return check_device(given);

  const std::optional<std::string> path = absolute_path(given);
  if (!path) return cannot_use(given, errno);
  // Who only looks (mount -f) must not clear anything away.
  Status usable = config.fake ? Status() : detach_dead_mounts(config, *path);
  if (usable) usable = check_directory(*path);
  if (!usable) return fail(usable.error());

  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return fail(table.error());
  Mountpoint mountpoint;
  mountpoint.path = *path;
  const std::optional<MountEntry> top = find_mount(*table, *path);
  if (!top) return mountpoint;
  mountpoint.has_autofs = top->type == "autofs";
  if (top->type == fuse_type(config) && top->source == fsname_of(config) && !config.nonempty) {
    return wrong(ErrorCode::kBusy, *path,
                 fmt::format("{} is mounted there already (nonempty mounts it again)",
                             printable(top->source)));
  }
  return mountpoint;
}

Status detach_mount(const std::string& path) {
  if (::geteuid() == 0) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
    return fail(Error::system(errno, fmt::format("detaching '{}'", printable(path))));
  }
  std::string target = path;
  std::array<char, 12> program = {"fusermount3"};
  std::array<char, 3> unmount = {"-u"};
  std::array<char, 3> lazy = {"-z"};
  std::array<char, 3> end = {"--"};
  const std::array<char*, 6> arguments = {program.data(), unmount.data(), lazy.data(),
                                          end.data(),     target.data(),  nullptr};
  pid_t child = -1;
  const int failure =
      ::posix_spawnp(&child, "fusermount3", nullptr, nullptr, arguments.data(), environ);
  if (failure != 0) return fail(Error::system(failure, "fusermount3"));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(Error::system(errno, "fusermount3"));
  }
  if (status == 0) return {};
  return wrong(ErrorCode::kBusy, path, "fusermount3 could not detach the dead mount on it");
}

Status detach_severed_mount(const Config& config, const std::string& path,
                            const std::function<Status()>& detach) {
  // What is behind a device belongs to who has passed it.
  if (path.starts_with(kDevFd)) return {};
  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return fail(table.error());
  const std::optional<MountEntry> top = find_mount(*table, path);
  const bool ours = top && top->type == fuse_type(config) && top->source == fsname_of(config);
  if (!ours || !is_dead(path)) return {};
  return detach();
}

}  // namespace sftpfs::app
