// Source: what is mounted, as it stands in the first column of fstab.
//
//   [user@]host:[dir]    user@[v6]:dir    [user@v6]:dir    [v6]:dir
//
// Brackets protect the colons of an IPv6 address and are dropped, wherever sshfs allows them. The
// last '@' before the colon ends the user, so that user names may contain one.
// Threads: a plain value.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sftpfs::app {

struct Source {
  std::string text;       // as written; /proc/mounts shows it, so that `mount -a` recognises it
  std::string user;       // empty: ssh_config or the local user decides
  std::string host;       // a name, an address or an alias of ~/.ssh/config
  std::string directory;  // empty: the login directory
  friend bool operator==(const Source&, const Source&) = default;
};

// Host and user may not start with '-' nor hold control characters: both end up in an argv.
// An empty host is for the caller to judge: SFTP without SSH needs none.
Result<Source> parse_source(std::string_view text);

}  // namespace sftpfs::app
