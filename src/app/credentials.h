// What systemd hands over in $CREDENTIALS_DIRECTORY (LoadCredential=), so that no secret is in a
// unit, on a command line or in the mount table.
//
//   sftpfs.key           a private key: as IdentityFile=
//   sftpfs.known_hosts   as UserKnownHostsFile=
//   sftpfs.password      the first line: as password_file=
//
// Threads: call before any is started.
#pragma once

#include "app/config.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::app {

// Fills in what the options have left open.
void apply_credentials(Config& config);
// Where the password lies: standard input (password_stdin), password_file=, or sftpfs.password.
// Empty: nowhere. A file that others may read is refused, as ssh refuses such keys.
Result<UniqueFd> open_password(const Config& config);

}  // namespace sftpfs::app
