// See openssh_key.h.
#include "ssh/openssh_key.h"

#include <fmt/core.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <vector>

#include "ssh/bcrypt_pbkdf.h"
#include "ssh/wire.h"

namespace sftpfs::ssh {
namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
// ssh-keygen's default is 16; this is minutes of work, so more is a damaged file.
constexpr std::uint32_t kKdfRoundsMax = 1U << 16;

struct KeyCipher {
  const char* ssh_name;
  const char* openssl_name;
  std::size_t key_bytes;
  std::size_t iv_bytes;
  std::size_t tag_bytes;
};
constexpr std::array<KeyCipher, 8> kCiphers{{
    {"aes256-ctr", "AES-256-CTR", 32, 16, 0},
    {"aes192-ctr", "AES-192-CTR", 24, 16, 0},
    {"aes128-ctr", "AES-128-CTR", 16, 16, 0},
    {"aes256-cbc", "AES-256-CBC", 32, 16, 0},
    {"aes192-cbc", "AES-192-CBC", 24, 16, 0},
    {"aes128-cbc", "AES-128-CBC", 16, 16, 0},
    {"aes256-gcm@openssh.com", "AES-256-GCM", 32, 12, 16},
    {"aes128-gcm@openssh.com", "AES-128-GCM", 16, 12, 16},
}};

const KeyCipher* find_cipher(std::string_view name) {
  for (const KeyCipher& cipher : kCiphers) {
    if (name == cipher.ssh_name) return &cipher;
  }
  return nullptr;
}

tl::unexpected<Error> damaged() { return fail(ErrorCode::kInvalid, "the key file is damaged"); }

// The base64 body, decoded in wiped memory: a plain key lies in it.
Result<Secret> decode_body(std::string_view text) {
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return damaged();
  }
  const std::string_view body = text.substr(begin + kBegin.size(), end - begin - kBegin.size());
  const std::unique_ptr<EVP_ENCODE_CTX, decltype(&EVP_ENCODE_CTX_free)> context(
      EVP_ENCODE_CTX_new(), &EVP_ENCODE_CTX_free);
  Secret decoded(body.size() + 3);
  auto* out = reinterpret_cast<unsigned char*>(decoded.buffer());
  EVP_DecodeInit(context.get());
  int size = 0;
  int last = 0;
  if (EVP_DecodeUpdate(context.get(), out, &size,
                       reinterpret_cast<const unsigned char*>(body.data()),
                       static_cast<int>(body.size())) < 0 ||
      EVP_DecodeFinal(context.get(), out + size, &last) != 1) {
    return damaged();
  }
  decoded.set_size(static_cast<std::size_t>(size + last));
  return decoded;
}

struct BignumDeleter {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, BignumDeleter>;

Bignum to_bignum(std::string_view bytes) {
  return Bignum(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
}

// Collects parameters and makes a key of them.
class KeyBuilder {
 public:
  KeyBuilder() : builder_(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free) {}

  void number(const char* name, Bignum value) {
    ok_ = ok_ && value != nullptr && OSSL_PARAM_BLD_push_BN(builder_.get(), name, value.get()) == 1;
    numbers_.push_back(std::move(value));
  }
  void text(const char* name, const char* value) {
    ok_ = ok_ && OSSL_PARAM_BLD_push_utf8_string(builder_.get(), name, value, 0) == 1;
  }
  void octets(const char* name, std::string_view value) {
    ok_ = ok_ &&
          OSSL_PARAM_BLD_push_octet_string(builder_.get(), name, value.data(), value.size()) == 1;
  }
  EvpKey build(const char* kind) {
    if (!ok_) return nullptr;
    const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(
        OSSL_PARAM_BLD_to_param(builder_.get()), &OSSL_PARAM_free);
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr), &EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
      return nullptr;
    }
    return EvpKey(key);
  }

 private:
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder_;
  std::vector<Bignum> numbers_;  // the builder only borrows them
  bool ok_ = true;
};

// d mod (prime - 1), which the file leaves out.
Bignum crt_exponent(const BIGNUM* d, const BIGNUM* prime) {
  const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_secure_new(), &BN_CTX_free);
  const Bignum less(BN_dup(prime));
  Bignum exponent(BN_secure_new());
  if (context == nullptr || less == nullptr || exponent == nullptr ||
      BN_sub_word(less.get(), 1) != 1 || BN_is_zero(less.get()) ||
      BN_mod(exponent.get(), d, less.get(), context.get()) != 1) {
    return nullptr;
  }
  return exponent;
}

EvpKey build_rsa(WireReader& fields) {
  KeyBuilder builder;
  builder.number(OSSL_PKEY_PARAM_RSA_N, to_bignum(fields.str()));
  builder.number(OSSL_PKEY_PARAM_RSA_E, to_bignum(fields.str()));
  Bignum d = to_bignum(fields.str());
  Bignum inverse = to_bignum(fields.str());
  Bignum p = to_bignum(fields.str());
  Bignum q = to_bignum(fields.str());
  if (!fields.ok() || d == nullptr || inverse == nullptr || p == nullptr || q == nullptr) {
    return nullptr;
  }
  builder.number(OSSL_PKEY_PARAM_RSA_EXPONENT1, crt_exponent(d.get(), p.get()));
  builder.number(OSSL_PKEY_PARAM_RSA_EXPONENT2, crt_exponent(d.get(), q.get()));
  builder.number(OSSL_PKEY_PARAM_RSA_D, std::move(d));
  builder.number(OSSL_PKEY_PARAM_RSA_FACTOR1, std::move(p));
  builder.number(OSSL_PKEY_PARAM_RSA_FACTOR2, std::move(q));
  builder.number(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, std::move(inverse));
  return builder.build("RSA");
}

EvpKey build_ecdsa(WireReader& fields) {
  const std::string_view curve = fields.str();
  const std::string_view point = fields.str();
  const std::string_view secret = fields.str();
  const char* group = curve == "nistp256"   ? "prime256v1"
                      : curve == "nistp384" ? "secp384r1"
                      : curve == "nistp521" ? "secp521r1"
                                            : nullptr;
  if (!fields.ok() || group == nullptr) return nullptr;
  KeyBuilder builder;
  builder.text(OSSL_PKEY_PARAM_GROUP_NAME, group);
  builder.octets(OSSL_PKEY_PARAM_PUB_KEY, point);
  builder.number(OSSL_PKEY_PARAM_PRIV_KEY, to_bignum(secret));
  return builder.build("EC");
}

EvpKey build_ed25519(WireReader& fields) {
  constexpr std::size_t kSeedBytes = 32;
  fields.str();  // the public half, which the private one repeats
  const std::string_view pair = fields.str();
  if (pair.size() != 2 * kSeedBytes) return nullptr;
  return EvpKey(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(pair.data()), kSeedBytes));
}

Result<PrivateKey> build_key(const Secret& section) {
  WireReader fields(section.view());
  const std::uint32_t check = fields.u32();
  // Two equal random numbers: only the right passphrase makes them equal again.
  if (check != fields.u32() || !fields.ok()) {
    return fail(ErrorCode::kAuthentication, "wrong passphrase");
  }
  const std::string type(fields.str());
  EvpKey key;
  if (type == "ssh-rsa") {
    key = build_rsa(fields);
  } else if (type == "ssh-ed25519") {
    key = build_ed25519(fields);
  } else if (type.starts_with("ecdsa-sha2-")) {
    key = build_ecdsa(fields);
  } else {
    return fail(ErrorCode::kUnsupported,
                fmt::format("keys of type {} need -o transport=ssh", type));
  }
  ERR_clear_error();
  if (key == nullptr) return damaged();
  return PrivateKey::adopt(std::move(key));
}

// `input` with its key and nonce through the cipher into `output` of the same size.
bool run_cipher(const KeyCipher& cipher, const unsigned char* key_and_iv, std::string_view input,
                const std::string& tag, Secret& output) {
  const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> method(
      EVP_CIPHER_fetch(nullptr, cipher.openssl_name, nullptr), &EVP_CIPHER_free);
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  if (method == nullptr || context == nullptr ||
      EVP_DecryptInit_ex2(context.get(), method.get(), key_and_iv, key_and_iv + cipher.key_bytes,
                          nullptr) != 1) {
    return false;
  }
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  auto* out = reinterpret_cast<unsigned char*>(output.buffer());
  int size = 0;
  int last = 0;
  if (EVP_DecryptUpdate(context.get(), out, &size,
                        reinterpret_cast<const unsigned char*>(input.data()),
                        static_cast<int>(input.size())) != 1) {
    return false;
  }
  std::string expected = tag;
  if (!tag.empty() &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(expected.size()),
                          expected.data()) != 1) {
    return false;
  }
  if (EVP_DecryptFinal_ex(context.get(), out + size, &last) != 1) return false;
  output.set_size(static_cast<std::size_t>(size + last));
  return true;
}

}  // namespace

bool OpenSshKey::recognises(std::string_view file_text) {
  return file_text.find(kBegin) != std::string_view::npos;
}

Result<OpenSshKey> OpenSshKey::parse(std::string_view file_text) {
  Result<Secret> body = decode_body(file_text);
  if (!body) return fail(body.error());
  if (!body->view().starts_with(kMagic)) return damaged();
  WireReader reader(body->view().substr(kMagic.size()));
  OpenSshKey key;
  key.cipher_ = reader.str();
  key.kdf_ = reader.str();
  key.kdf_options_ = reader.str();
  const std::uint32_t count = reader.u32();
  key.public_blob_ = reader.str();
  const std::string_view section = reader.str();
  if (!reader.ok() || count != 1) return damaged();
  key.private_section_ = Secret::copy_of(section);
  key.tag_ = reader.rest();
  return key;
}

Result<Secret> OpenSshKey::decrypt_private_section(const Secret& passphrase) const {
  const KeyCipher* cipher = find_cipher(cipher_);
  if (cipher == nullptr || kdf_ != "bcrypt") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("encrypted with {} and {}, which is not supported; load the key into "
                            "the agent with ssh-add",
                            cipher_, kdf_));
  }
  WireReader options(kdf_options_);
  const std::string_view salt = options.str();
  const std::uint32_t rounds = options.u32();
  if (!options.ok() || salt.empty() || rounds == 0 || rounds > kKdfRoundsMax ||
      tag_.size() != cipher->tag_bytes) {
    return damaged();
  }
  std::array<std::byte, 64> key_and_iv{};
  const MutableByteSpan wanted(key_and_iv.data(), cipher->key_bytes + cipher->iv_bytes);
  bcrypt_pbkdf(passphrase.view(), salt, rounds, wanted);
  Secret plain(private_section_.size() + 64);
  const bool ok = run_cipher(*cipher, reinterpret_cast<const unsigned char*>(key_and_iv.data()),
                             private_section_.view(), tag_, plain);
  OPENSSL_cleanse(key_and_iv.data(), key_and_iv.size());
  ERR_clear_error();
  if (!ok) return fail(ErrorCode::kAuthentication, "wrong passphrase");
  return plain;
}

Result<PrivateKey> OpenSshKey::decrypt(const Secret& passphrase) const {
  if (!encrypted()) return build_key(private_section_);
  Result<Secret> plain = decrypt_private_section(passphrase);
  if (!plain) return fail(plain.error());
  return build_key(*plain);
}

}  // namespace sftpfs::ssh
