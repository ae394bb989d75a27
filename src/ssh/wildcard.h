// '*' and '?' as in ssh_config(5).
//
// Threads: a pure function.
#pragma once

#include <string_view>

namespace sftpfs::ssh {

bool wildcard_match(std::string_view pattern, std::string_view name);

}  // namespace sftpfs::ssh
