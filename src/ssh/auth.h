// Authentication: logs a session in, with what ssh(1) would try and in its order.
//
// Ownership: borrows everything for the call.
// Threads:   the thread that connects; blocks it up to the context's patience.
// Limits:    servers count failures (MaxAuthTries, usually 6), so keys stop while one try is left
//            for a password, where a password is possible. No hostbased, no GSSAPI.
#pragma once

#include "base/error.h"
#include "ssh/identities.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

// kAuthentication lists what was tried and why it failed; kCancelled: the person gave up.
Status authenticate(Libssh2Session& session, const LoginContext& context);

// What a server wants shown at the terminal, with control characters made harmless.
std::string safe_prompt(std::string_view text);

}  // namespace sftpfs::ssh
