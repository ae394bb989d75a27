// The command line, read by the rules of the name the programme was called by.
//
//   sftpfs                            -f foreground, -d debug, -s one thread, as every FUSE
//   programme mount.sftpfs, mount.fuse.sftpfs   -f fake, -s sloppy, -n, -v, as mount(8) calls its
//   helpers
//
// Threads: call before any is started.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/error.h"

namespace sftpfs::app {

enum class Action {
  kMount,
  kRemount,  // -o remount
  kHelp,
  kVersion,
};

struct CommandLine {
  Action action = Action::kMount;
  Config config;                      // for kMount and kRemount
  std::vector<std::string> warnings;  // one line each, for standard error
};

// Whether `argv0` means the helper of mount(8).
bool called_as_mount_helper(std::string_view argv0);

// `arguments` with the programme's name in front. Errors are kInvalid, one line each.
Result<CommandLine> parse_command_line(std::span<const char* const> arguments);

}  // namespace sftpfs::app
