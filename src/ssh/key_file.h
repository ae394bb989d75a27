// KeyFile: a private key as it lies on disk, looked at before anybody is asked for a passphrase.
//
// Ownership: keeps the file's text in wiped memory until it is destroyed.
// Threads:   a value; const functions may run in several threads.
// Limits:    64 KiB; OpenSSH, PEM and PKCS#8 formats. Public halves come from the file itself or,
//            for an encrypted PEM file, from "<path>.pub".
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "ssh/openssh_key.h"
#include "ssh/private_key.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

class KeyFile {
 public:
  // kSystem with the errno, or kInvalid with what is wrong (also: others may read the file).
  static Result<KeyFile> read(const std::string& path);

  const std::string& path() const { return path_; }
  bool encrypted() const { return encrypted_; }
  // Empty when it cannot be known without the passphrase.
  const std::string& public_blob() const { return public_blob_; }
  // kAuthentication: the passphrase is wrong.
  Result<PrivateKey> decrypt(const Secret& passphrase) const;

 private:
  KeyFile() = default;
  std::string path_;
  bool encrypted_ = false;
  std::string public_blob_;
  std::optional<OpenSshKey> openssh_;
  Secret pem_;
};

// The public half that lies at `path` or `path`.pub, for a private key that only the agent has.
// Empty when there is none.
std::string read_public_key(const std::string& path);

}  // namespace sftpfs::ssh
