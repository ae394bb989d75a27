// SpyingCtr: a library context of OpenSSL in which AES-CTR counts the calls that reach it; and the
// same as a provider that answers wrongly from some call on.
//
// Ownership: SpyingCtr owns its context; ciphers fetched from it must not outlive it. The work is
//            done by the default provider of the process.
// Threads:   one thread; the counter belongs to all instances.
#pragma once

#include <openssl/core.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace sftpfs::ssh::test {

struct FreeOpenssl {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(OSSL_PROVIDER* provider) const { OSSL_PROVIDER_unload(provider); }
  void operator()(OSSL_LIB_CTX* context) const { OSSL_LIB_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, FreeOpenssl>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeOpenssl>;

class SpyingCtr {
 public:
  SpyingCtr();
  OSSL_LIB_CTX* library() const { return library_.get(); }
  Cipher aes_128_ctr() const;
  // The sizes of the calls since the last time it was asked.
  static std::vector<std::size_t> take_calls();

 private:
  std::unique_ptr<OSSL_LIB_CTX, FreeOpenssl> library_;
  std::unique_ptr<OSSL_PROVIDER, FreeOpenssl> default_;
  std::unique_ptr<OSSL_PROVIDER, FreeOpenssl> spy_;
};

// Provider initialisers. The wrong one is right for the first calls of an operation, as one is
// whose counter goes wrong at a border.
int init_spying_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in,
                         const OSSL_DISPATCH** out, void** provider_context);
int init_wrong_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in,
                        const OSSL_DISPATCH** out, void** provider_context);

}  // namespace sftpfs::ssh::test
