// What systemd hands over in $CREDENTIALS_DIRECTORY (LoadCredential=), so that no secret is in a
// unit, on a command line or in the mount table.
//
//   sftpfs.key           a private key: as IdentityFile=
//   sftpfs.known_hosts   as UserKnownHostsFile=
//   sftpfs.password      the first line: as password_stdin
//
// Threads: call before any is started.
#pragma once

#include "app/config.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::app {

// Fills in what the options have left open.
void apply_credentials(Config& config);
// The file of sftpfs.password; empty when there is none.
UniqueFd open_password_credential();

}  // namespace sftpfs::app
