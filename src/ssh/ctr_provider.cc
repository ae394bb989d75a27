// See ctr_provider.h.
#include "ssh/ctr_provider.h"

#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L && !defined(SFTPFS_NO_CTR_PROVIDER)
#include <fmt/core.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <string>
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
Status check_surroundings(const char* name) {
  if (OSSL_PROVIDER_available(nullptr, name) == 1) return refuse("AES-CTR is accelerated already");
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

OSSL_PROVIDER* load(const char* name, CtrAcceleration::ProviderInit* init) {
  if (OSSL_PROVIDER_add_builtin(nullptr, name, init) != 1) return nullptr;
  constexpr int kKeepFallbacks = 1;  // the default provider goes on loading itself
  return OSSL_PROVIDER_try_load(nullptr, name, kKeepFallbacks);
}

// Keeps what fails and is reported as a value out of OpenSSL's error queue.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

}  // namespace

Result<std::unique_ptr<CtrAcceleration>> CtrAcceleration::install() {
  return install_as(kCtrProviderName, ctr_provider_init);
}

Result<std::unique_ptr<CtrAcceleration>> CtrAcceleration::install_as(const char* name,
                                                                     ProviderInit* init) {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  const QuietErrors quiet;
  const Status allowed = check_surroundings(name);
  if (!allowed) return fail(allowed.error());
  OSSL_PROVIDER* provider = load(name, init);
  if (provider == nullptr) return refuse("OpenSSL does not accept the provider of AES-CTR");

  // From here on the destructor undoes what has been done.
  std::unique_ptr<CtrAcceleration> acceleration(new CtrAcceleration(provider));
  const std::string property = fmt::format("provider={}", name);
  const Status tested = ctr_self_test(nullptr, property.c_str());
  if (!tested) return fail(tested.error());
  const std::string optional = "?" + property;  // prefers, and so excludes nobody
  acceleration->preferred_ = EVP_set_default_properties(nullptr, optional.c_str()) == 1;
  if (!acceleration->preferred_ || provider_of_aes() != name) {
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
  return install_as(nullptr, nullptr);
}

Result<std::unique_ptr<CtrAcceleration>> CtrAcceleration::install_as(const char* /*name*/,
                                                                     ProviderInit* /*init*/) {
  return fail(ErrorCode::kUnsupported, "AES-CTR is accelerated with OpenSSL 3 only");
}

CtrAcceleration::~CtrAcceleration() = default;

}  // namespace sftpfs::ssh
#endif
