// Authenticator: one log-in, method after method.
//
//   none --list--> [publickey] -> [keyboard-interactive] -> [password] -> failed
//                       |                  |                    |
//                       +---- partial success: the new list of methods, on with the next one
//                       +---- success
//
// Each method is left when it is used up and not entered again; a server that wants two keys gets
// the second from the same pass over the keys.
//
// Ownership: borrows everything; lives for one call of authenticate().
// Threads:   the thread that connects.
// Limits:    as in auth.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ssh/identities.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

// OpenSSH's MaxAuthTries is 6: the sixth failure ends the connection.
inline constexpr int kFailuresBeforeLastTry = 5;

enum class AuthOutcome : std::uint8_t {
  kSuccess,
  kPartial,  // accepted, and the server wants another method too
  kRefused,
};

class Authenticator {
 public:
  Authenticator(Libssh2Session& session, const LoginContext& context)
      : session_(session), context_(context) {}

  Status run();

  // Called back by libssh2 with the server's questions.
  void answer(int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
              LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, std::string_view instruction);

  Result<AuthOutcome> try_keys();
  Result<AuthOutcome> try_keyboard_interactive();
  Result<AuthOutcome> try_password();

 private:
  // Asks with a "none" request; kSuccess when the server wants nothing more.
  Result<AuthOutcome> ask_methods();
  // After a method that was accepted but not enough, or failed: which of the two?
  Result<AuthOutcome> look_for_progress();
  bool offers(std::string_view method) const;

  // `fallback`: the algorithms that were not tried at first.
  Result<AuthOutcome> try_key(Identity& identity, bool fallback);
  Result<AuthOutcome> offer(Identity& identity, const std::string& blob,
                            std::string_view algorithm);
  Result<AuthOutcome> after_proof(const Identity& identity, const std::string& blob);
  Result<AuthOutcome> one_conversation();
  Result<AuthOutcome> send_password(const Secret& password);
  Result<Secret> ask(const std::string& prompt);
  bool passwords_allowed() const { return context_.login.trust() == HostKeyTrust::kFull; }
  bool password_possible() const {
    return passwords_allowed() && (context_.can_ask() || context_.login.password() != nullptr) &&
           (offers("password") || offers("keyboard-interactive"));
  }
  Status denied() const;

  Libssh2Session& session_;
  const LoginContext& context_;
  std::string methods_;             // as the server lists them
  std::vector<std::string> notes_;  // what was tried and why it failed
  int failures_ = 0;                // as the server counts them
  // One keyboard-interactive conversation.
  Secret typed_password_;
  bool reuse_password_ = false;
  bool beyond_password_ = false;
  std::optional<Error> given_up_;
};

}  // namespace sftpfs::ssh
