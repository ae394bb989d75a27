// Offers one key to the server through libssh2, signed for by whatever holds it.
//
// Ownership: borrows everything for the call.
// Threads:   the thread that connects; blocks it up to its patience.
// Limits:    one algorithm per call; each refusal counts with the server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ssh/identities.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

struct KeyOffer {
  enum class Answer : std::uint8_t {
    kLoggedIn,
    kProven,    // the server wanted the key and got a signature, and still has not let us in
    kRefused,   // the server does not want this key
    kUnsigned,  // the server wants it, but it cannot sign: `signing_error` tells
  };
  Answer answer = Answer::kRefused;
  std::optional<Error> signing_error;
};

// An error means that the connection is of no more use.
Result<KeyOffer> offer_key(Libssh2Session& session, const LoginContext& context, Identity& identity,
                           const std::string& blob, std::string_view algorithm);

}  // namespace sftpfs::ssh
