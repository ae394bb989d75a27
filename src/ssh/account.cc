// See account.h.
#include "ssh/account.h"

#include <pwd.h>
#include <unistd.h>

#include <vector>

namespace sftpfs::ssh {

std::optional<Account> current_account() {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return Account{found->pw_name, found->pw_dir};
}

}  // namespace sftpfs::ssh
