// What is mounted, from /proc/self/mountinfo.
//
// Threads: pure, but for reading the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::app {

struct MountEntry {
  std::string directory;
  std::string type;    // "fuse.sftpfs"
  std::string source;  // fsname
  friend bool operator==(const MountEntry&, const MountEntry&) = default;
};

// Lines that are not understood are skipped. Oldest first.
std::vector<MountEntry> parse_mountinfo(std::string_view text);
Result<std::vector<MountEntry>> read_mount_table();

// The one on top at exactly this directory.
std::optional<MountEntry> find_mount(const std::vector<MountEntry>& table,
                                     std::string_view directory);

}  // namespace sftpfs::app
