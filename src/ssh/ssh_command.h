// The command line of the ssh(1) child.
//
// Threads: functions without state.
// Limits:  no secret ever appears in it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/child_host_key.h"
#include "ssh/options.h"

namespace sftpfs::ssh {

// The argument vector, for exec without a shell. ssh takes the first value it sees of each option,
// so the user's come first, then the named settings, then our defaults.
// `may_prompt` is false where nobody sits at a terminal (clones, reconnects): BatchMode=yes.
// `host_key` adds what pins the server's key.
Result<std::vector<std::string>> ssh_command_line(const Options& options, bool may_prompt,
                                                  const ChildHostKey& host_key);

// `ssh -G`: the same words, but none of our defaults.
Result<std::vector<std::string>> ssh_query_line(const Options& options);

// Splits at spaces; "\ " is a space, "\\" a backslash (as sshfs's ssh_command).
std::vector<std::string> split_command(const std::string& command);

}  // namespace sftpfs::ssh
