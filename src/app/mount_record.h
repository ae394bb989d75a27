// The record of a mount in libmount's table of user-space options (/run/mount/utab).
//
// umount(8) asks statfs(2) for the type of what it unmounts, and that knows only "fuse": it would
// look for umount.fuse and never call umount.fuse.sftpfs, which waits for unsent data. Of a mount
// that has options in this table it reads the type in /proc/self/mountinfo instead.
//
// Threads: any; takes libmount's lock on the table.
// Limits:  root's mounts only: nobody else may write the table. A record that was left behind by a
//          daemon that died concerns no later mount.
#pragma once

#include <string>

#include "base/error.h"

namespace sftpfs::app {

// `target` as /proc/self/mountinfo writes it.
Status record_mount(const std::string& source, const std::string& target, const std::string& type);
// Nothing where there is no record.
Status forget_mount_record(const std::string& target);

}  // namespace sftpfs::app
