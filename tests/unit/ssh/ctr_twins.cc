// See ctr_twins.h.
#include "unit/ssh/ctr_twins.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <string>

namespace sftpfs::ssh::test {
namespace {

constexpr std::size_t kIvBytes = 16;
constexpr std::size_t kTextBytes = 10'000;

const EVP_CIPHER* implicit_cipher(std::size_t key_bits) {
  return key_bits == 128   ? EVP_aes_128_ctr()
         : key_bits == 192 ? EVP_aes_192_ctr()
                           : EVP_aes_256_ctr();
}

// OpenSSL's own counter, where a caller may write (what EVP_CIPHER_CTX_iv_noconst() returns).
unsigned char* counter_of(const CipherContext& context) {
  void* counter = nullptr;
  std::array<OSSL_PARAM, 2> params{
      OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_UPDATED_IV, &counter, kIvBytes),
      OSSL_PARAM_construct_end()};
  if (EVP_CIPHER_CTX_get_params(context.get(), params.data()) != 1) return nullptr;
  return static_cast<unsigned char*>(counter);
}

}  // namespace

Twins::Twins(std::size_t key_bits, std::uint64_t seed)
    : key_bits_(key_bits),
      tested_(implicit_cipher(key_bits)),
      reference_(EVP_CIPHER_fetch(nullptr, ("AES-" + std::to_string(key_bits) + "-CTR").c_str(),
                                  "provider=default")),
      random_(seed),
      one_(EVP_CIPHER_CTX_new()),
      other_(EVP_CIPHER_CTX_new()),
      text_(bytes(kTextBytes)) {}

bool Twins::live(unsigned steps) {
  if (!start_afresh()) return false;
  for (unsigned i = 0; i < steps; ++i) {
    if (!step() || !look()) return false;
  }
  ERR_clear_error();
  return true;
}

bool Twins::same(bool equal, const char* what) {
  if (!equal) what_ = what;
  return equal;
}

Twins::Bytes Twins::bytes(std::size_t size) {
  Bytes result(size);
  std::generate(result.begin(), result.end(),
                [this] { return static_cast<unsigned char>(random_()); });
  return result;
}

// Often one that will wrap soon, at 2^32, 2^64 or 2^128.
Twins::Bytes Twins::counter() {
  constexpr std::array<std::ptrdiff_t, 3> kWrappingBytes{4, 8, 16};
  Bytes result = bytes(kIvBytes);
  if (pick(2) == 0) {
    std::fill(result.end() - kWrappingBytes[pick(kWrappingBytes.size())], result.end(), 0xff);
    result.back() = static_cast<unsigned char>(random_());
  }
  return result;
}

bool Twins::step() {
  switch (pick(12)) {
    case 0: return start_afresh();
    case 1: return start_again();
    case 2: return go_on_as_copies();
    case 3: return set_something();
    case 4: return pick(8) == 0 ? write_to_the_counter() : run();
    case 5: return look_at_params();
    default: return run();
  }
}

// The cipher is named anew; now and then the counter comes before the key, or no counter at all.
bool Twins::start_afresh() {
  const Bytes key = bytes(key_bits_ / 8);
  const Bytes iv = counter();
  const int encrypt = static_cast<int>(pick(2));
  const auto order = pick(4);
  const unsigned char* first_key = order == 0 || order == 1 ? nullptr : key.data();
  const unsigned char* first_iv = order == 1 || order == 2 ? nullptr : iv.data();
  for (const auto& [context, cipher] :
       {std::pair{one_.get(), tested_},
        std::pair{other_.get(), const_cast<const EVP_CIPHER*>(reference_.get())}}) {
    if (EVP_CipherInit_ex(context, cipher, nullptr, first_key, first_iv, encrypt) != 1) {
      return same(false, "a start that failed");
    }
  }
  if (order == 1 && !call(pick(2) * 16)) return false;  // without a key
  if (first_key != nullptr) return true;
  for (EVP_CIPHER_CTX* context : {one_.get(), other_.get()}) {
    if (EVP_CipherInit_ex(context, nullptr, nullptr, key.data(), nullptr, -1) != 1) {
      return same(false, "a key after the counter");
    }
  }
  return true;
}

// A new key, a new counter, both or neither.
bool Twins::start_again() {
  const Bytes key = bytes(key_bits_ / 8);
  const Bytes iv = counter();
  const unsigned char* new_key = pick(2) == 0 ? key.data() : nullptr;
  const unsigned char* new_iv = pick(2) == 0 ? iv.data() : nullptr;
  const int encrypt = static_cast<int>(pick(3)) - 1;
  const int one = EVP_CipherInit_ex(one_.get(), nullptr, nullptr, new_key, new_iv, encrypt);
  const int other = EVP_CipherInit_ex(other_.get(), nullptr, nullptr, new_key, new_iv, encrypt);
  return same(one == other, "the answer of a new start");
}

bool Twins::run() {
  constexpr std::array<unsigned, 6> kCalls{1, 3, 15, 17, 40, 600};
  const unsigned calls = kCalls[pick(kCalls.size())];
  const auto kind = pick(8);
  for (unsigned i = 0; i < calls; ++i) {
    std::size_t size = 16;
    if (kind == 0) size = pick(65);
    if (kind == 1) size = pick(20) == 0 ? pick(kTextBytes) : 16;
    if (kind == 2) size = 60 + pick(10);
    if (kind == 3) size = 1 + pick(5);
    if (!call(size)) return false;
  }
  return true;
}

bool Twins::call(std::size_t size) {
  const auto* text = text_.data() + pick(text_.size() - size);
  const Bytes in(text, text + size);
  Bytes one = in;
  Bytes other = in;
  const bool in_place = pick(2) == 0;
  const unsigned char* from_one = in_place ? one.data() : in.data();
  const unsigned char* from_other = in_place ? other.data() : in.data();
  if (pick(3) != 0) {
    const auto bytes = static_cast<unsigned>(size);
    const int got = EVP_Cipher(one_.get(), one.data(), from_one, bytes);
    const int expected = EVP_Cipher(other_.get(), other.data(), from_other, bytes);
    return same(got == expected && one == other, "EVP_Cipher");
  }
  int got_size = 0;
  int expected_size = 0;
  const auto bytes = static_cast<int>(size);
  const int got = EVP_CipherUpdate(one_.get(), one.data(), &got_size, from_one, bytes);
  const int expected =
      EVP_CipherUpdate(other_.get(), other.data(), &expected_size, from_other, bytes);
  return same(got == expected && got_size == expected_size && one == other, "EVP_CipherUpdate");
}

bool Twins::go_on_as_copies() {
  CipherContext one(EVP_CIPHER_CTX_new());
  CipherContext other(EVP_CIPHER_CTX_new());
  if (EVP_CIPHER_CTX_copy(one.get(), one_.get()) != 1 ||
      EVP_CIPHER_CTX_copy(other.get(), other_.get()) != 1) {
    return same(false, "a copy that failed");
  }
  // Originals and copies must not disturb each other.
  if (!run()) return false;
  std::swap(one_, one);
  std::swap(other_, other);
  if (!run()) return false;
  if (pick(2) == 0) {
    std::swap(one_, one);
    std::swap(other_, other);
  }
  return true;
}

bool Twins::set_something() {
  int value = 0;
  switch (pick(4)) {
    case 0:
      value = static_cast<int>(pick(2));
      return same(EVP_CIPHER_CTX_set_padding(one_.get(), value) ==
                      EVP_CIPHER_CTX_set_padding(other_.get(), value),
                  "set_padding");
    case 1:
      // Zero drops the rest of a block; another value than the present one has no meaning.
      if (pick(2) == 0) value = EVP_CIPHER_CTX_get_num(other_.get());
      return same(
          EVP_CIPHER_CTX_set_num(one_.get(), value) == EVP_CIPHER_CTX_set_num(other_.get(), value),
          "set_num");
    case 2:
      value = static_cast<int>(8 * (2 + pick(3)));
      return same(EVP_CIPHER_CTX_set_key_length(one_.get(), value) ==
                      EVP_CIPHER_CTX_set_key_length(other_.get(), value),
                  "set_key_length");
    default: {
      Bytes rest(kIvBytes);
      int one = -1;
      int other = -1;
      const int got = EVP_CipherFinal_ex(one_.get(), rest.data(), &one);
      return same(got == EVP_CipherFinal_ex(other_.get(), rest.data(), &other) && one == other,
                  "EVP_CipherFinal_ex");
    }
  }
}

bool Twins::write_to_the_counter() {
  unsigned char* one = counter_of(one_);
  unsigned char* other = counter_of(other_);
  if (one == nullptr || other == nullptr) return same(false, "a pointer to the counter");
  if (!run()) return false;
  if (!same(std::equal(one, one + kIvBytes, other), "the counter itself")) return false;
  const std::size_t at = pick(kIvBytes);
  one[at] ^= 0x55;
  other[at] ^= 0x55;
  return run();
}

bool Twins::look() {
  if (pick(4) != 0) return true;
  std::array<Bytes, 4> ivs{Bytes(kIvBytes), Bytes(kIvBytes), Bytes(kIvBytes), Bytes(kIvBytes)};
  int got = EVP_CIPHER_CTX_get_original_iv(one_.get(), ivs[0].data(), kIvBytes);
  int expected = EVP_CIPHER_CTX_get_original_iv(other_.get(), ivs[1].data(), kIvBytes);
  if (!same(got == expected && ivs[0] == ivs[1], "the original counter")) return false;
  if (pick(3) == 0) return true;  // asking for the rest makes the operation rewind
  got = EVP_CIPHER_CTX_get_updated_iv(one_.get(), ivs[2].data(), kIvBytes);
  expected = EVP_CIPHER_CTX_get_updated_iv(other_.get(), ivs[3].data(), kIvBytes);
  if (!same(got == expected && ivs[2] == ivs[3], "the counter")) return false;
  return same(EVP_CIPHER_CTX_get_num(one_.get()) == EVP_CIPHER_CTX_get_num(other_.get()), "num");
}

bool Twins::look_at_params() {
  std::array<unsigned, 2> padding{7, 7};
  std::array<std::size_t, 2> lengths{};
  std::array<Bytes, 2> short_iv{Bytes(3), Bytes(3)};
  std::array<int, 2> padding_answers{};
  std::array<int, 2> iv_answers{};
  for (const std::size_t i : {0, 1}) {
    EVP_CIPHER_CTX* context = i == 0 ? one_.get() : other_.get();
    std::array<OSSL_PARAM, 3> params{
        OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_PADDING, &padding[i]),
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_IVLEN, &lengths[i]),
        OSSL_PARAM_construct_end()};
    padding_answers[i] = EVP_CIPHER_CTX_get_params(context, params.data());
    iv_answers[i] = EVP_CIPHER_CTX_get_original_iv(context, short_iv[i].data(), 3);
  }
  return same(padding_answers[0] == padding_answers[1] && padding[0] == padding[1] &&
                  lengths[0] == lengths[1],
              "padding and lengths") &&
         same(iv_answers[0] == iv_answers[1] && short_iv[0] == short_iv[1], "a short buffer") &&
         same(EVP_CIPHER_CTX_get_key_length(one_.get()) ==
                      EVP_CIPHER_CTX_get_key_length(other_.get()) &&
                  EVP_CIPHER_CTX_get_iv_length(one_.get()) ==
                      EVP_CIPHER_CTX_get_iv_length(other_.get()) &&
                  EVP_CIPHER_CTX_is_encrypting(one_.get()) ==
                      EVP_CIPHER_CTX_is_encrypting(other_.get()),
              "what the context says of itself");
}

}  // namespace sftpfs::ssh::test
