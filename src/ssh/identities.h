// Identities: the keys one attempt to log in may offer, from files and from the agent, in the
// order in which ssh(1) offers them.
//
// Ownership: an Identity borrows the login, prompter and patience of its attempt.
// Threads:   the thread that connects.
// Limits:    plain keys only: certificates and FIDO keys are named in the notes and left out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ssh/login.h"
#include "ssh/patience.h"
#include "ssh/prompter.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

// What an attempt works with. `prompter` is null where nobody can be asked.
struct LoginContext {
  const Target& target;
  Login& login;
  Prompter* prompter;
  Patience& patience;

  bool can_ask() const {
    return prompter != nullptr && !target.batch_mode && prompter->available();
  }
};

class Identity {
 public:
  virtual ~Identity() = default;
  // For messages: "key ~/.ssh/id_rsa", "agent key ED25519 SHA256:... (me@home)".
  virtual std::string label() const = 0;
  // The key to offer; may ask for a passphrase where the file keeps even this secret.
  virtual Result<std::string> public_blob() = 0;
  // May ask for a passphrase: so the server has accepted the key before anybody is bothered.
  virtual Result<std::string> sign(std::string_view algorithm, std::string_view data) = 0;
};

// Why a key that one might have expected is not among the identities goes to `notes`.
std::vector<std::unique_ptr<Identity>> find_identities(const LoginContext& context,
                                                       std::vector<std::string>& notes);

}  // namespace sftpfs::ssh
