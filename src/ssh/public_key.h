// Public keys as SSH sends them: a blob that starts with the name of its type.
//
// Threads: functions without state.
#pragma once

#include <string>
#include <string_view>

namespace sftpfs::ssh {

// "ssh-ed25519", or empty when `blob` is no key.
std::string key_type(std::string_view blob);
// What people call a type: "ED25519", "ECDSA", "RSA"; an unknown one is returned as it is.
std::string key_type_label(std::string_view type);
// "SHA256:..." as OpenSSH prints it.
std::string fingerprint(std::string_view blob);
// "ED25519 SHA256:...".
std::string describe_key(std::string_view blob);

}  // namespace sftpfs::ssh
