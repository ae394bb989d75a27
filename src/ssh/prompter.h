// Prompter: asks the person at the terminal. Implemented by app/ (a tty, SSH_ASKPASS, a test).
//
// Ownership: the caller's; used only during the call it is given to.
// Threads:   called on the thread that connects.
// Limits:    may take as long as the person does; that time counts against no deadline.
#pragma once

#include <string>

#include "base/error.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

class Prompter {
 public:
  virtual ~Prompter() = default;

  // Whether there is anybody to ask.
  virtual bool available() const = 0;
  // Asks without echo. An error (kCancelled) means that the person gave up.
  virtual Result<Secret> ask_secret(const std::string& prompt) = 0;
  // Asks a yes-or-no question.
  virtual Result<bool> confirm(const std::string& prompt) = 0;
};

}  // namespace sftpfs::ssh
