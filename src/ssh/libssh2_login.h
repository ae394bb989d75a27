// log_in(): a libssh2 session from nothing to authenticated: TCP or a proxy, key exchange, the
// host's key, the user.
//
// Ownership: the caller owns the session; the context's Login keeps what further ones need.
// Threads:   any thread; blocks it, within the target's timeouts.
// Limits:    those of LoginContext and Patience. Afterwards patience is that of authentication.
#pragma once

#include <memory>

#include "base/error.h"
#include "ssh/identities.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

Result<std::unique_ptr<Libssh2Session>> log_in(const LoginContext& context);

}  // namespace sftpfs::ssh
