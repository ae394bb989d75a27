// See ctr_self_test.h. The vectors are those of NIST SP 800-38A, F.5.
#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include "ssh/ctr_self_test.h"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace sftpfs::ssh {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::size_t kBlockBytes = 16;
// Enough single blocks for a batching cipher to have its batches under way.
constexpr unsigned kBlocksBefore = 48;

struct Vector {
  const char* cipher;
  const char* key;
  const char* ciphertext;
};
constexpr const char* kCounter = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
constexpr const char* kPlaintext =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
constexpr std::array<Vector, 3> kVectors{{
    {"AES-128-CTR", "2b7e151628aed2a6abf7158809cf4f3c",
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
     "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
    {"AES-192-CTR", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
     "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
     "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"},
    {"AES-256-CTR", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
     "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"},
}};

// A run of blocks, odd pieces, long calls, and runs that end in the middle of a block.
struct Calls {
  std::size_t bytes;
  unsigned times;
};
constexpr std::array<Calls, 12> kMixedCalls{{{16, 600},
                                             {5, 1},
                                             {11, 1},
                                             {64, 40},
                                             {65, 1},
                                             {1, 70},
                                             {16, 300},
                                             {5000, 1},
                                             {7, 33},
                                             {16, 100},
                                             {4096, 2},
                                             {16, 40}}};

struct Free {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, Free>;
using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;

Bytes from_hex(const char* text) {
  Bytes bytes(std::string_view(text).size() / 2);
  std::size_t size = 0;
  if (OPENSSL_hexstr2buf_ex(bytes.data(), bytes.size(), &size, text, '\0') != 1) return {};
  return bytes;
}

Context start(const Cipher& cipher, const Bytes& key, const Bytes& counter) {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) return nullptr;
  const int done =
      EVP_EncryptInit_ex2(context.get(), cipher.get(), key.data(), counter.data(), nullptr);
  return done == 1 ? std::move(context) : nullptr;
}

bool crypt(const Context& context, unsigned char* bytes, std::size_t size) {
  return EVP_Cipher(context.get(), bytes, bytes, static_cast<unsigned>(size)) ==
         static_cast<int>(size);
}

// The known answer, first as one call and then as the end of a run of single blocks.
bool gives_known_answer(const Cipher& cipher, const Vector& vector) {
  const Bytes key = from_hex(vector.key);
  const Bytes expected = from_hex(vector.ciphertext);
  Bytes counter = from_hex(kCounter);
  Bytes bytes = from_hex(kPlaintext);
  const Context once = start(cipher, key, counter);
  if (!once || !crypt(once, bytes.data(), bytes.size()) || bytes != expected) return false;

  counter.back() = static_cast<unsigned char>(counter.back() - kBlocksBefore);
  bytes = from_hex(kPlaintext);
  bytes.insert(bytes.begin(), kBlocksBefore * kBlockBytes, 0);
  const Context run = start(cipher, key, counter);
  if (!run) return false;
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    if (!crypt(run, bytes.data() + at, kBlockBytes)) return false;
  }
  return std::equal(expected.begin(), expected.end(), bytes.end() - expected.size());
}

bool agrees(const Cipher& candidate, const Cipher& reference, const Vector& vector) {
  const Bytes key = from_hex(vector.key);
  Bytes counter(kBlockBytes, 0xff);  // wraps after 32 blocks
  counter.back() = 0xe0;
  const Context one = start(candidate, key, counter);
  const Context other = start(reference, key, counter);
  if (!one || !other) return false;
  for (const Calls& calls : kMixedCalls) {
    for (unsigned i = 0; i < calls.times; ++i) {
      Bytes bytes(calls.bytes, static_cast<unsigned char>(i));
      Bytes expected = bytes;
      if (!crypt(one, bytes.data(), bytes.size())) return false;
      if (!crypt(other, expected.data(), expected.size())) return false;
      if (bytes != expected) return false;
    }
  }
  return true;
}

}  // namespace

Status ctr_self_test(OSSL_LIB_CTX* library, const char* candidate) {
  for (const Vector& vector : kVectors) {
    ERR_set_mark();
    const Cipher tested(EVP_CIPHER_fetch(library, vector.cipher, candidate));
    const Cipher reference(EVP_CIPHER_fetch(library, vector.cipher, "provider=default"));
    const bool passed = tested && reference && gives_known_answer(tested, vector) &&
                        agrees(tested, reference, vector);
    ERR_pop_to_mark();
    if (!passed) {
      return fail(ErrorCode::kUnsupported, fmt::format("{} failed its self-test", vector.cipher));
    }
  }
  return {};
}

}  // namespace sftpfs::ssh
#endif
