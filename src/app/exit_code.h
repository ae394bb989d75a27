// The exit codes of mount(8), which scripts, systemd and autofs read.
#pragma once

#include "base/error.h"

namespace sftpfs::app {

enum class ExitCode : int {
  kOk = 0,
  kUsage = 1,          // wrong arguments or options, missing rights
  kSystem = 2,         // out of memory or processes, no /dev/fuse
  kInternal = 4,       // a fault of ours
  kInterrupted = 8,    // the user gave up
  kMountFailure = 32,  // everything else: host down, refused, no such directory
};

// The code for an error that ended the attempt to mount. A failed system call counts as a failed
// mount (most are the network's); who knows better says kSystem itself.
ExitCode exit_code_for(const Error& error);

}  // namespace sftpfs::app
