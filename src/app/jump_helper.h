// The programme as the way through a jump host, where there is no ssh(1) (ssh/jump.h).
//
// Threads: none yet.
// Limits:  its standard streams are sockets of the mount that has started it; what goes wrong is
//          one line on standard error.
#pragma once

#include <span>

namespace sftpfs::app {

// Whether the mount has started us for that.
bool called_as_jump(std::span<const char* const> arguments);
// The exit code; 255, as ssh(1) has it, when there was no way.
int jump_run(std::span<const char* const> arguments);

}  // namespace sftpfs::app
