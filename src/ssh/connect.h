// connect(): from Options to an authenticated stream to the server's SFTP subsystem.
//
// Ownership: the caller owns the stream; `login` keeps what further connections need.
// Threads:   any thread; blocks it. The libssh2 transport connects and logs in here, within its
//            timeouts. The ssh(1) transport only starts the child, which does all that while the
//            SFTP client waits for its first answer; start it from a thread that lives as long as
//            the stream (child.h).
// Limits:    `prompter` may be null: nobody can be asked. `interrupt` may be null: not to be ended.
#pragma once

#include <memory>

#include "base/error.h"
#include "runtime/byte_stream.h"
#include "ssh/login.h"
#include "ssh/options.h"
#include "ssh/patience.h"
#include "ssh/prompter.h"

namespace sftpfs::ssh {

Result<std::unique_ptr<runtime::ByteStream>> connect(const Options& options, Login& login,
                                                     Prompter* prompter,
                                                     const Interrupt* interrupt);

// Whether connect() starts ssh(1): it was chosen, or transport=auto has found that it must.
bool uses_child(const Options& options, const Login& login);

}  // namespace sftpfs::ssh
