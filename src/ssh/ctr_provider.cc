// See ctr_provider.h.
#include "ssh/ctr_provider.h"

#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L && !defined(SFTPFS_NO_CTR_PROVIDER)
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <string_view>

#include "ssh/ctr_dispatch.h"
#include "ssh/ctr_self_test.h"

namespace sftpfs::ssh {
namespace {

struct Free {
  void operator()(CONF* config) const { NCONF_free(config); }
  void operator()(char* text) const { OPENSSL_free(text); }
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};

tl::unexpected<Error> refuse(const char* reason) { return fail(ErrorCode::kUnsupported, reason); }

// OpenSSL 3.0 tells nobody what its default properties are, and setting them replaces them. So the
// configuration is asked, which is where they come from.
bool config_sets_default_properties() {
  const std::unique_ptr<char, Free> path(CONF_get1_default_config_file());
  const std::unique_ptr<CONF, Free> config(NCONF_new(nullptr));
  if (!path || !config || NCONF_load(config.get(), path.get(), nullptr) != 1) return false;
  const char* modules = NCONF_get_string(config.get(), nullptr, "openssl_conf");
  const char* algorithms =
      modules == nullptr ? nullptr : NCONF_get_string(config.get(), modules, "alg_section");
  return algorithms != nullptr &&
         NCONF_get_string(config.get(), algorithms, "default_properties") != nullptr;
}

std::string_view provider_of_aes() {
  const std::unique_ptr<EVP_CIPHER, Free> cipher(EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr));
  if (!cipher) return {};
  return OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher.get()));
}

// Whether the search order is ours to change.
Status check_surroundings() {
  if (OSSL_PROVIDER_available(nullptr, kCtrProviderName) == 1) {
    return refuse("AES-CTR is accelerated already");
  }
  if (EVP_default_properties_is_fips_enabled(nullptr) == 1) {
    return refuse("OpenSSL is in FIPS mode, AES-CTR stays as it is");
  }
  if (config_sets_default_properties()) {
    return refuse("OpenSSL's configuration sets default_properties, AES-CTR stays as it is");
  }
  if (provider_of_aes() != "default") {
    return refuse("AES-CTR does not come from OpenSSL's default provider and stays as it is");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<CtrAcceleration>> CtrAcceleration::install() {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  ERR_set_mark();
  const Status allowed = check_surroundings();
  ERR_pop_to_mark();
  if (!allowed) return fail(allowed.error());

  OSSL_PROVIDER* provider = nullptr;
  ERR_set_mark();
  if (OSSL_PROVIDER_add_builtin(nullptr, kCtrProviderName, ctr_provider_init) == 1) {
    constexpr int kKeepFallbacks = 1;  // the default provider goes on loading itself
    provider = OSSL_PROVIDER_try_load(nullptr, kCtrProviderName, kKeepFallbacks);
  }
  ERR_pop_to_mark();
  if (provider == nullptr) return refuse("OpenSSL does not accept the provider of AES-CTR");

  std::unique_ptr<CtrAcceleration> acceleration(new CtrAcceleration(provider));
  const Status tested = ctr_self_test(nullptr, kCtrProviderProperty);
  if (!tested) return fail(tested.error());
  acceleration->preferred_ = EVP_set_default_properties(nullptr, "?provider=sftpfs_ctr") == 1;
  if (!acceleration->preferred_ || provider_of_aes() != kCtrProviderName) {
    return refuse("OpenSSL does not prefer the provider of AES-CTR");
  }
  return acceleration;
}

CtrAcceleration::~CtrAcceleration() {
  if (preferred_) EVP_set_default_properties(nullptr, "");
  OSSL_PROVIDER_unload(provider_);
}

}  // namespace sftpfs::ssh
#else
namespace sftpfs::ssh {

Result<std::unique_ptr<CtrAcceleration>> CtrAcceleration::install() {
  return fail(ErrorCode::kUnsupported, "AES-CTR is accelerated with OpenSSL 3 only");
}

CtrAcceleration::~CtrAcceleration() = default;

}  // namespace sftpfs::ssh
#endif
