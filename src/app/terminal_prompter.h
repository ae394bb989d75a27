// TerminalPrompter: how the programme asks for passwords and consent: at the terminal, through
// SSH_ASKPASS, or, where there is neither and the user wants it, through systemd's agents.
//
// Ownership: the wiring's; it outlives every connection that is being made.
// Threads:   asking on one thread at a time; cancel() from any.
// Limits:    a question may take as long as the person does.
#pragma once

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
  UniqueFd cancelled_;
};

// The first line of `fd` (password_stdin, password_file), of which nothing more is read.
Result<ssh::Secret> read_password_line(int fd);

}  // namespace sftpfs::app
