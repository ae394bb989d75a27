// See private_key.h.
#include "ssh/private_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <fmt/core.h>
#include <array>

#include "ssh/public_key.h"
#include "ssh/wire.h"

namespace sftpfs::ssh {
namespace {

struct Curve {
  const char* openssl_name;
  const char* ssh_name;
  const char* digest;
};
constexpr std::array<Curve, 3> kCurves{{{"prime256v1", "nistp256", "SHA256"},
                                        {"secp384r1", "nistp384", "SHA384"},
                                        {"secp521r1", "nistp521", "SHA512"}}};

std::string bytes_of(const BIGNUM* number) {
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

std::string number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return {};
  std::string bytes = bytes_of(number);
  BN_free(number);
  return bytes;
}

std::string rsa_blob(const EVP_PKEY* key) {
  const std::string e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
  const std::string n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
  return WireWriter().str("ssh-rsa").mpint(e).mpint(n).take();
}

const Curve* curve_of(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1) return nullptr;
  for (const Curve& curve : kCurves) {
    if (std::string_view(name.data()) == curve.openssl_name) return &curve;
  }
  return nullptr;
}

std::string ecdsa_blob(const EVP_PKEY* key) {
  const Curve* curve = curve_of(key);
  if (curve == nullptr) return {};
  std::array<unsigned char, 256> point{};
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &size) != 1) {
    return {};
  }
  return WireWriter()
      .str(fmt::format("ecdsa-sha2-{}", curve->ssh_name))
      .str(curve->ssh_name)
      .str({reinterpret_cast<const char*>(point.data()), size})
      .take();
}

std::string ed25519_blob(const EVP_PKEY* key) {
  std::array<unsigned char, 32> raw{};
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, raw.data(), &size) != 1) return {};
  return WireWriter()
      .str("ssh-ed25519")
      .str({reinterpret_cast<const char*>(raw.data()), size})
      .take();
}

// DER to SSH's pair of numbers.
Result<std::string> ecdsa_signature(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), &ECDSA_SIG_free);
  if (pair == nullptr) return fail(ErrorCode::kAuthentication, "OpenSSL made a bad signature");
  return WireWriter()
      .mpint(bytes_of(ECDSA_SIG_get0_r(pair.get())))
      .mpint(bytes_of(ECDSA_SIG_get0_s(pair.get())))
      .take();
}

// The digest to sign with; null for Ed25519, which brings its own.
Result<const char*> digest_for(const EVP_PKEY* key, std::string_view algorithm) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return nullptr;
    case EVP_PKEY_EC: {
      const Curve* curve = curve_of(key);
      if (curve != nullptr) return curve->digest;
      break;
    }
    case EVP_PKEY_RSA:
      if (algorithm == "rsa-sha2-512") return "SHA512";
      if (algorithm == "rsa-sha2-256") return "SHA256";
      if (algorithm == "ssh-rsa") return "SHA1";
      break;
    default: break;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("cannot sign with {}", algorithm));
}

}  // namespace

void EvpKeyDeleter::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<PrivateKey> PrivateKey::adopt(EvpKey key) {
  std::string blob;
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_RSA: blob = rsa_blob(key.get()); break;
    case EVP_PKEY_EC: blob = ecdsa_blob(key.get()); break;
    case EVP_PKEY_ED25519: blob = ed25519_blob(key.get()); break;
    default: break;
  }
  ERR_clear_error();
  if (blob.empty()) {
    return fail(ErrorCode::kUnsupported,
                "this kind of key is not supported; use an Ed25519, ECDSA or RSA key");
  }
  return PrivateKey(std::move(key), std::move(blob));
}

Result<std::string> PrivateKey::sign(std::string_view algorithm, std::string_view data) const {
  Result<const char*> digest = digest_for(key_.get(), algorithm);
  if (!digest) return fail(digest.error());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  const auto* input = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t size = 0;
  std::string signature;
  bool ok = context != nullptr && EVP_DigestSignInit_ex(context.get(), nullptr, *digest, nullptr,
                                                        nullptr, key_.get(), nullptr) == 1;
  ok = ok && EVP_DigestSign(context.get(), nullptr, &size, input, data.size()) == 1;
  if (ok) {
    signature.resize(size);
    auto* output = reinterpret_cast<unsigned char*>(signature.data());
    ok = EVP_DigestSign(context.get(), output, &size, input, data.size()) == 1;
    signature.resize(size);
  }
  ERR_clear_error();
  if (!ok) {
    return fail(ErrorCode::kAuthentication,
                fmt::format("OpenSSL could not sign with {}", algorithm));
  }
  if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC) return ecdsa_signature(signature);
  return signature;
}

}  // namespace sftpfs::ssh
