// ChildPassword: how the password that a mount was given (password_file, password_stdin, a
// credential) reaches an ssh(1) child that is asked for it. Never in a command line, the
// environment or a file:
//
//   ssh ──SSH_ASKPASS──► sftpfs as askpass ──question──► standard error ──► take_question()
//                              │    ◄──────────password──────────┘   (a socket, both ways)
//   ssh ◄──standard output─────┘
//
// ssh closes all descriptors but the standard three, so standard error is the one that is passed
// on. A question carries a word that only we and the child know: a server's banner ends up on
// standard error too. Only the questions of the mount's own user and host are answered; a jump
// host asks for another password.
//
// Ownership: shared by the streams that may still be asked; the secret is wiped with it.
// Threads:   made by one, then the stream's.
// Limits:    needs OpenSSH 8.4 (SSH_ASKPASS_REQUIRE). While it is in use, programmes that ssh runs
//            (ProxyCommand) cannot open /dev/stderr by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ssh/child.h"
#include "ssh/options.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

// The variables of the askpass programme: the word, and whether it may ask at the terminal what is
// not answered here.
constexpr const char* kAskpassWordVariable = "SFTPFS_ASKPASS_WORD";
constexpr const char* kAskpassTerminalVariable = "SFTPFS_ASKPASS_TERMINAL";
// Before the word and the prompt of a question.
constexpr std::string_view kAskpassQuestion = "sftpfs-askpass ";
// What an answer begins with; a line feed ends it.
constexpr char kAskpassAnswer = '+';
constexpr char kAskpassNoAnswer = '-';

class ChildPassword {
 public:
  static Result<std::shared_ptr<ChildPassword>> create(const Options& options,
                                                       const Secret& password);

  // `terminal`: other questions may be asked there.
  Child::Setup setup(bool terminal) const;
  // Whether `line` of standard error was a question; if so, it is answered into `answers`.
  bool take_question(std::string_view line, int answers) const;
  // Whether `prompt` asks for the password of our user at our host.
  bool is_meant(std::string_view prompt) const;

 private:
  ChildPassword(const Options& options, const Secret& password);

  std::string word_;
  std::string program_;
  std::string login_;        // "user@host", as ssh shows it
  std::string alias_login_;  // the same with HostKeyAlias; or empty
  Secret password_;
};

// Whether a server's words ask for a password that serves more than once.
bool is_password_prompt(std::string_view text);

}  // namespace sftpfs::ssh
