// PrivateKey: one decrypted key that signs authentication requests (RSA, ECDSA, Ed25519).
//
// Ownership: owns OpenSSL's key, which wipes itself when freed.
// Threads:   sign() is const and may be called by several threads.
// Limits:    no DSA, no FIDO keys, no certificates.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

struct EvpKeyDeleter {
  void operator()(EVP_PKEY* key) const;
};
using EvpKey = std::unique_ptr<EVP_PKEY, EvpKeyDeleter>;

class PrivateKey {
 public:
  // kUnsupported for kinds of keys that SSH does not use.
  static Result<PrivateKey> adopt(EvpKey key);

  const std::string& public_blob() const { return public_blob_; }
  // The signature as RFC 4253 and RFC 5656 lay it out, without the algorithm's name in front.
  // `algorithm` chooses the hash of an RSA key: ssh-rsa, rsa-sha2-256 or rsa-sha2-512.
  Result<std::string> sign(std::string_view algorithm, std::string_view data) const;

 private:
  PrivateKey(EvpKey key, std::string public_blob)
      : key_(std::move(key)), public_blob_(std::move(public_blob)) {}

  EvpKey key_;
  std::string public_blob_;
};

}  // namespace sftpfs::ssh
