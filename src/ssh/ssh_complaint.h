// What ssh(1) complained of before it ended, as an error that says what to do.
//
// Threads: a pure function.
// Limits:  knows the words of OpenSSH in English, which is the only language it speaks; whatever
//          else was said is passed on as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sftpfs::ssh {

// How far it had come: some of its words mean another thing later.
enum class LoginStage : std::uint8_t {
  kLoggingIn,
  kServed  // the server has sent something through it
};

// `said` is the end of its standard error, lines apart; `fallback` stands where it said nothing.
Error ssh_complaint(const std::string& peer, std::string_view said, const std::string& fallback,
                    LoginStage stage = LoginStage::kLoggingIn);

}  // namespace sftpfs::ssh
