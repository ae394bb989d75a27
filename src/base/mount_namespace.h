// Entering another mount namespace, as -N of mount(8) and umount(8) asks their helpers to.
//
// Threads: call before any is started; the whole process moves, its working directory to the root.
#pragma once

#include <string>

#include "base/error.h"

namespace sftpfs {

// `path` is that of a namespace, such as /proc/PID/ns/mnt. Needs root.
Status enter_mount_namespace(const std::string& path);

}  // namespace sftpfs
