// builtin_config(): what ssh would say to Options if it read no configuration file: the user's own
// words over OpenSSH's defaults. It stands in where there is no ssh(1) to ask (settle.h).
//
// Threads: reads the user database; any thread.
// Limits:  of the lists that begin with '+', '-' or '^' only libssh2's part is known
// (algorithms.h).
#pragma once

#include "ssh/client_config.h"
#include "ssh/options.h"

namespace sftpfs::ssh {

ClientConfig builtin_config(const Options& options);

}  // namespace sftpfs::ssh
