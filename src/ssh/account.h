// The account this process runs as, from the user database, as ssh does: $HOME and $USER are unset
// in many systemd units.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>

namespace sftpfs::ssh {

struct Account {
  std::string name;
  std::string home;
};

// Empty where the user has no entry.
std::optional<Account> current_account();

}  // namespace sftpfs::ssh
