// What the process does to itself before anything else.
//
// Threads: call before any is started: all of it holds for the whole process.
#pragma once

#include <string>

#include "base/error.h"

namespace sftpfs::app {

// Opens /dev/null where 0, 1 or 2 are closed, so that no socket ever gets such a number and is
// written to, or replaced, as a standard stream.
Status occupy_standard_fds();

// No core dumps and no ptrace by others of the same user, because passwords and keys pass through
// memory. The kernel then gives /proc/PID to root: a user cannot strace or lsof the daemon. It
// does not hinder fusermount3 (a programme of its own) nor our own /proc/self. Debugging (-d)
// goes without. Changing the user resets it, so call become_user() first.
Status harden_process();

// Makes the directory for control sockets, where root's rights are needed for that: before they are
// given up for those of `run_as` (empty: they are kept). No mount fails for want of it.
void prepare_control_directory(const std::string& run_as);

// Root's daemon gives up every capability but those that unmounting and the user's key files need,
// for itself and its children, and that anything it starts may get more (no_new_privs). Others are
// left as they are: they unmount with fusermount3, which is set-user-id.
Status drop_rights();

// setuid=: groups, ids, HOME, USER and LOGNAME of `name`, for good. Needs root, unless it is who
// we are already.
Status become_user(const std::string& name);

// The path of this programme; empty where it cannot be told. An upgrade may have put another in its
// place meanwhile, which does as well.
std::string own_program();

}  // namespace sftpfs::app
