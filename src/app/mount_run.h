// The programme: from the command line to the end of the mount.
#pragma once

namespace sftpfs::app {

// Returns the exit code (exit_code.h).
int mount_run(int argc, char** argv);

}  // namespace sftpfs::app
