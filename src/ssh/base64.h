// Base64 (RFC 4648) by OpenSSL.
//
// Threads: functions without state.
// Limits:  decoding is strict: no white space, complete groups, nothing after the padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sftpfs::ssh {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace sftpfs::ssh
