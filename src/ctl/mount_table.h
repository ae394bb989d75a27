// What is mounted, from /proc/self/mountinfo.
//
// Threads: pure, but for reading the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::ctl {

struct MountEntry {
  std::string directory;
  std::string type;         // "fuse.sftpfs"
  std::string source;       // fsname
  std::string device;       // "0:56"
  std::string flags;        // of this mount: "ro,nosuid,nodev,relatime"
  std::string super_flags;  // of the file system: "rw,user_id=0,group_id=0"
  friend bool operator==(const MountEntry&, const MountEntry&) = default;
};

// Lines that are not understood are skipped. Oldest first.
std::vector<MountEntry> parse_mountinfo(std::string_view text);
Result<std::vector<MountEntry>> read_mount_table();

// The one on top at exactly this directory.
std::optional<MountEntry> find_mount(const std::vector<MountEntry>& table,
                                     std::string_view directory);
// The one in which an absolute path lies, told by its name alone: nothing is asked of the mount.
std::optional<MountEntry> find_mount_of(const std::vector<MountEntry>& table,
                                        std::string_view path);

}  // namespace sftpfs::ctl
