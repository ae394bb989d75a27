// The line of /etc/fstab and the units of systemd for a mount.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace sftpfs::ctl {

struct FstabRequest {
  std::string source;
  std::string mountpoint;  // absolute
  std::string options;     // the user's, joined by commas; may be empty
};

// Blanks and the like as \040, as fstab(5) wants them.
std::string fstab_escape(std::string_view text);
// "/mnt/my data" -> "mnt-my\x20data": the name of its unit, as systemd-escape --path makes it.
std::string unit_name(std::string_view path);

std::string fstab_line(const FstabRequest& request);
std::string mount_unit(const FstabRequest& request);

}  // namespace sftpfs::ctl
