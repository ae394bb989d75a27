// What ssh(1) complained of before it ended, as an error that says what to do.
//
// Threads: a pure function.
// Limits:  knows the words of OpenSSH in English, which is the only language it speaks; whatever
//          else was said is passed on as it is.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace sftpfs::ssh {

// `said` is the end of its standard error, lines apart; `fallback` stands where it said nothing.
Error ssh_complaint(const std::string& peer, std::string_view said, const std::string& fallback);

}  // namespace sftpfs::ssh
