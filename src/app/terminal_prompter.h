// TerminalPrompter: how the programme asks for passwords and consent: at the terminal, through
// SSH_ASKPASS, or, with password_stdin, not at all.
//
// Ownership: the wiring's; it outlives every connection that is being made.
// Threads:   asking on one thread at a time; cancel() from any.
// Limits:    the password from standard input answers one question: a server that did not like
//            it would be given it again and lock the account.
#pragma once

#include <optional>
#include <string>

#include "app/askpass.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/prompter.h"

namespace sftpfs::app {

class TerminalPrompter final : public ssh::Prompter {
 public:
  explicit TerminalPrompter(AskpassPolicy askpass = AskpassPolicy::from_environment(),
                            std::string terminal_path = "/dev/tty");

  void set_password(ssh::Secret password) { password_ = std::move(password); }
  // Ends the question being asked and all later ones.
  void cancel();

  bool available() const override;
  Result<ssh::Secret> ask_secret(const std::string& prompt) override;
  Result<bool> confirm(const std::string& prompt) override;

 private:
  enum class Channel { kNone, kTerminal, kAskpass };
  Channel channel() const;

  AskpassPolicy askpass_;
  std::string terminal_path_;
  std::optional<ssh::Secret> password_;
  UniqueFd cancelled_;
};

// The first line of `fd` (password_stdin, password_file), of which nothing more is read.
Result<ssh::Secret> read_password_line(int fd);

}  // namespace sftpfs::app
