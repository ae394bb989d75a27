// What readlink(2) shows of a link on the server.
//
// transform: an absolute target below the mounted directory becomes relative, so that it leads to
// the same file here. contain: a target is shown only if it provably stays inside the mount; so
// links of a server that is not trusted lead nobody to files of this machine.
//
// Proof. The kernel takes ".." from the directory that the link is in, whose depth below the mount
// is known; as many of them as that, and only at the beginning, stay inside. Behind a name ".." is
// unprovable: the name may itself be a link. What follows are names and further links, each of
// which is judged by itself.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sftpfs::fs {

struct LinkRules {
  bool transform = false;
  bool contain = false;
};

// `root` is the mounted directory and `link` the link's path, both on the server and absolute.
// EPERM: the target would, or might, lead out of the mount.
Result<std::string> shown_target(const LinkRules& rules, std::string_view root,
                                 std::string_view link, std::string target);

}  // namespace sftpfs::fs
