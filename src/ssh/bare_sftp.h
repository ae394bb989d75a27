// SFTP without SSH around it (directport=, vsock=, passive): over TCP, a virtual machine's socket,
// or standard input and output. Nobody is identified and nothing is encrypted.
//
// Ownership: the stream owns what it made.
// Threads:   any thread; blocks it at most for the connect timeout.
// Limits:    standard input and output cannot be connected again: a second attempt is refused for
//            good, and what waits for it fails.
#pragma once

#include <memory>

#include "base/error.h"
#include "runtime/byte_stream.h"
#include "ssh/login.h"
#include "ssh/options.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

// options.bare must be set.
Result<std::unique_ptr<runtime::ByteStream>> connect_bare(const Options& options, Login& login,
                                                          const Interrupt* interrupt);

}  // namespace sftpfs::ssh
