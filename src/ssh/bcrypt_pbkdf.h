// bcrypt_pbkdf: the key derivation of encrypted OpenSSH private keys (OpenBSD's, with SHA-512).
//
// Threads: a function without state.
// Limits:  costs a few milliseconds of CPU per round and 32 bytes of key, by design; and once per
//          process about 100 ms for Blowfish's tables (see the .cc).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sftpfs::ssh {

// Fills `key`. `rounds` is at least 1.
void bcrypt_pbkdf(std::string_view passphrase, std::string_view salt, std::uint32_t rounds,
                  MutableByteSpan key);

}  // namespace sftpfs::ssh
