// Rendezvous: where a mount's control socket lies, and how clients find it.
//
//   /run/sftpfs/0-56.sock           mounts that root serves
//   /run/sftpfs/1000/0-56.sock      mounts that root has handed to a user (setuid=)
//   $XDG_RUNTIME_DIR/sftpfs/0-56.sock   mounts of a user
//
// 0:56 is the device number of the mount in /proc/self/mountinfo: no other mount of the machine has
// it, in whatever namespace, and a client learns it without touching a mount that may not answer.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::ctl {

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Makes /run/sftpfs and, for a daemon that will run as somebody else, the directory in it. As root.
Status prepare_system_directory(const std::optional<Owner>& daemon);

// The directory for the sockets of a daemon that runs as who we are now; made where it is missing.
Result<std::string> server_directory();

// Takes that directory away where a user's last socket in it has gone; root's stays.
void leave_server_directory(const std::string& directory);

// Directories in which the caller may find sockets; they need not exist.
std::vector<std::string> client_directories();
// The same for the mounts of one user, for who runs as root.
std::vector<std::string> directories_of(uid_t uid);

// "0:56" -> "0-56.sock"
std::string socket_name(std::string_view device);

// Every socket in `directories`.
std::vector<std::string> find_sockets(const std::vector<std::string>& directories);

}  // namespace sftpfs::ctl
