// Tokens of ssh_config(5) ("%h", "${HOME}", "~"), for what `ssh -G` prints unexpanded.
//
// Threads: expand() reads the environment and the user database.
// Limits:  as OpenSSH 9: an unknown token or an unset variable is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sftpfs::ssh {

struct TokenValues {
  std::string host;           // %h: the host's real name
  std::string original_host;  // %n: as the user wrote it
  std::string known_as;       // %k: the alias, or what the user wrote
  std::uint16_t port = 22;    // %p
  std::string user;           // %r
  std::string jump;           // %j
  std::string home;           // %d
  std::string local_user;     // %u
};

// Percent tokens only: for commands, where "$" and "~" are the shell's.
Result<std::string> expand_percent(std::string_view text, const TokenValues& values);
// A file name: "~/", variables and tokens.
Result<std::string> expand_path(std::string_view text, const TokenValues& values);

}  // namespace sftpfs::ssh
