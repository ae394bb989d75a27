// OpenSSH's own format of private keys ("openssh-key-v1", PROTOCOL.key).
//
// Ownership: an OpenSshKey keeps a wiped-on-free copy of the decoded file.
// Threads:   a value; const functions may run in several threads.
// Limits:    one key per file, as OpenSSH itself; ciphers aes{128,192,256}-{ctr,cbc} and
//            aes{128,256}-gcm.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "ssh/private_key.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

class OpenSshKey {
 public:
  static bool recognises(std::string_view file_text);
  // kInvalid when the file is damaged.
  static Result<OpenSshKey> parse(std::string_view file_text);

  const std::string& public_blob() const { return public_blob_; }
  bool encrypted() const { return cipher_ != "none"; }
  // kAuthentication: the passphrase is wrong. The passphrase of a plain key is ignored.
  Result<PrivateKey> decrypt(const Secret& passphrase) const;

 private:
  OpenSshKey() = default;
  Result<Secret> decrypt_private_section(const Secret& passphrase) const;

  std::string cipher_;
  std::string kdf_;
  std::string kdf_options_;
  std::string public_blob_;
  Secret private_section_;
  std::string tag_;  // of an AEAD cipher
};

}  // namespace sftpfs::ssh
