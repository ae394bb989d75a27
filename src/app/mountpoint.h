// The mount point: whether one can mount there, before anything is asked of the server.
//
// The directory is never read: an autofs or systemd.automount on it would wait for the very mount
// that is being made. Nor is a live FUSE mount on it touched beyond one stat.
//
// Threads: any; concerns the mount namespace of the process.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "app/config.h"
#include "base/error.h"

namespace sftpfs::app {

struct Mountpoint {
  std::string path;         // absolute, without symbolic links; or "/dev/fd/N" as given
  int fuse_fd = -1;         // the N of /dev/fd/N: a FUSE device somebody has mounted for us
  bool has_autofs = false;  // an automounter waits there for us
};

// Checks `config.mountpoint`. A dead mount of ours (its programme has died, ENOTCONN) is detached
// and mounted over (with `config.fake` it is an error, and left); a live one of the same source
// is kBusy unless `config.nonempty`.
Result<Mountpoint> prepare_mountpoint(const Config& config);

inline constexpr std::string_view kDevFd = "/dev/fd/";
// "fuse.sftpfs"
std::string fuse_type(const Config& config);

// `given` as /proc/self/mountinfo writes it, also where what is mounted there is dead.
Result<std::string> mountpoint_path(const std::string& given);

// Takes the mount on `path` out of sight at once, whatever uses it: umount2(MNT_DETACH) as root,
// else fusermount3 -u -z.
Status detach_mount(const std::string& path);

// Detaches our mount on `path` if its connection to the kernel was severed: umount -f does that,
// and leaves the mount there when it is busy. Anything else stays.
// `detach` does it.
Status detach_severed_mount(const Config& config, const std::string& path,
                            const std::function<Status()>& detach);

}  // namespace sftpfs::app
