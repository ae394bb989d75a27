// See bcrypt_pbkdf.h.
//
// OpenSSL has Blowfish, but not the salted key schedule that bcrypt is made of, nor access to the
// cipher's initial tables. Those 1042 words are the first fractional bits of pi, so they are
// computed rather than listed: nobody has to proof-read four pages of hexadecimal digits, and a
// wrong digit would fail the test that decrypts a key made by ssh-keygen.
#include "ssh/bcrypt_pbkdf.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kRounds = 16;
constexpr std::size_t kPWords = kRounds + 2;
constexpr std::size_t kBoxWords = 256;
constexpr std::size_t kTableWords = kPWords + 4 * kBoxWords;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kHashWords = kHashBytes / sizeof(std::uint32_t);

using Bignum = std::unique_ptr<BIGNUM, decltype(&BN_clear_free)>;
Bignum make_bignum() {
  Bignum number(BN_new(), &BN_clear_free);
  SFTPFS_CHECK(number != nullptr);
  return number;
}

// factor * atan(1/x) in units of 2^-bits, by the power series.
Bignum scaled_arctan(BN_ULONG factor, BN_ULONG x, int bits) {
  Bignum power = make_bignum();
  Bignum sum = make_bignum();
  Bignum term = make_bignum();
  SFTPFS_CHECK(BN_set_word(power.get(), factor) == 1 &&
               BN_lshift(power.get(), power.get(), bits) == 1);
  BN_div_word(power.get(), x);
  for (BN_ULONG k = 0; !BN_is_zero(power.get()); ++k) {
    SFTPFS_CHECK(BN_copy(term.get(), power.get()) != nullptr);
    BN_div_word(term.get(), 2 * k + 1);
    const int ok = k % 2 == 0 ? BN_add(sum.get(), sum.get(), term.get())
                              : BN_sub(sum.get(), sum.get(), term.get());
    SFTPFS_CHECK(ok == 1);
    BN_div_word(power.get(), x * x);
  }
  return sum;
}

using Table = std::array<std::uint32_t, kTableWords>;

// Machin: pi = 16 atan(1/5) - 4 atan(1/239).
Table pi_table() {
  constexpr int kTableBits = static_cast<int>(kTableWords * 32);
  constexpr int kGuardBits = 64;  // swallow the rounding of some 9000 divisions
  Bignum pi = scaled_arctan(16, 5, kTableBits + kGuardBits);
  const Bignum rest = scaled_arctan(4, 239, kTableBits + kGuardBits);
  SFTPFS_CHECK(BN_sub(pi.get(), pi.get(), rest.get()) == 1 &&
               BN_rshift(pi.get(), pi.get(), kGuardBits) == 1 &&
               BN_mask_bits(pi.get(), kTableBits) == 1);
  std::vector<unsigned char> bytes(kTableWords * 4);
  SFTPFS_CHECK(BN_bn2binpad(pi.get(), bytes.data(), static_cast<int>(bytes.size())) > 0);
  Table table{};
  for (std::size_t i = 0; i < bytes.size(); ++i) table[i / 4] = table[i / 4] << 8 | bytes[i];
  return table;
}

const Table& initial_table() {
  static const Table table = pi_table();
  return table;
}

// Reads big-endian words from bytes, round and round.
class WordStream {
 public:
  explicit WordStream(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t next() {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) {
      word = word << 8 | static_cast<unsigned char>(bytes_[at_]);
      at_ = (at_ + 1) % bytes_.size();
    }
    return word;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Blowfish with bcrypt's expensive key schedule.
class Blowfish {
 public:
  Blowfish() : table_(initial_table()) {}
  ~Blowfish() { OPENSSL_cleanse(table_.data(), sizeof(table_)); }
  Blowfish(const Blowfish&) = delete;
  Blowfish& operator=(const Blowfish&) = delete;

  // Mixes in a key, and a salt unless it is empty.
  void expand(std::string_view salt, std::string_view key) {
    WordStream key_words(key);
    for (std::size_t i = 0; i < kPWords; ++i) table_[i] ^= key_words.next();
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    WordStream salt_words(salt);
    for (std::size_t i = 0; i < kTableWords; i += 2) {
      if (!salt.empty()) {
        left ^= salt_words.next();
        right ^= salt_words.next();
      }
      encrypt(left, right);
      table_[i] = left;
      table_[i + 1] = right;
    }
  }

  void encrypt(std::uint32_t& left, std::uint32_t& right) const {
    for (std::size_t i = 0; i < kRounds; ++i) {
      left ^= table_[i];
      right ^= mix(left);
      std::swap(left, right);
    }
    std::swap(left, right);
    right ^= table_[kRounds];
    left ^= table_[kRounds + 1];
  }

 private:
  std::uint32_t box(std::size_t number, std::uint32_t index) const {
    return table_[kPWords + number * kBoxWords + (index & 0xff)];
  }
  std::uint32_t mix(std::uint32_t x) const {
    return ((box(0, x >> 24) + box(1, x >> 16)) ^ box(2, x >> 8)) + box(3, x);
  }

  Table table_;
};

using Digest = std::array<unsigned char, SHA512_DIGEST_LENGTH>;
using Hash = std::array<unsigned char, kHashBytes>;

std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest sha512(const void* data, std::size_t size) {
  Digest digest{};
  SHA512(static_cast<const unsigned char*>(data), size, digest.data());
  return digest;
}

Hash bcrypt_hash(const Digest& password, const Digest& salt) {
  constexpr std::string_view kMagic = "OxychromaticBlowfishSwatDynamite";
  constexpr int kExpansions = 64;
  Blowfish cipher;
  cipher.expand(view_of(salt), view_of(password));
  for (int i = 0; i < kExpansions; ++i) {
    cipher.expand({}, view_of(salt));
    cipher.expand({}, view_of(password));
  }
  WordStream magic(kMagic);
  std::array<std::uint32_t, kHashWords> words{};
  for (std::uint32_t& word : words) word = magic.next();
  for (int i = 0; i < kExpansions; ++i) {
    for (std::size_t w = 0; w < kHashWords; w += 2) cipher.encrypt(words[w], words[w + 1]);
  }
  Hash hash{};
  for (std::size_t i = 0; i < hash.size(); ++i) {
    hash[i] = static_cast<unsigned char>(words[i / 4] >> (8 * (i % 4)));
  }
  return hash;
}

}  // namespace

void bcrypt_pbkdf(std::string_view passphrase, std::string_view salt, std::uint32_t rounds,
                  MutableByteSpan key) {
  Digest password = sha512(passphrase.data(), passphrase.size());
  // Each hash fills every stride-th byte: an attacker needs all of them to check one key.
  const std::size_t stride = (key.size() + kHashBytes - 1) / kHashBytes;
  for (std::size_t block = 0; block < stride; ++block) {
    std::string first(salt);
    for (int shift = 24; shift >= 0; shift -= 8) {
      first.push_back(static_cast<char>((block + 1) >> shift));
    }
    Hash step = bcrypt_hash(password, sha512(first.data(), first.size()));
    Hash out = step;
    for (std::uint32_t round = 1; round < rounds; ++round) {
      step = bcrypt_hash(password, sha512(step.data(), step.size()));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= step[i];
    }
    for (std::size_t i = 0; i * stride + block < key.size() && i < out.size(); ++i) {
      key[i * stride + block] = static_cast<std::byte>(out[i]);
    }
    OPENSSL_cleanse(step.data(), step.size());
    OPENSSL_cleanse(out.data(), out.size());
  }
  OPENSSL_cleanse(password.data(), password.size());
}

}  // namespace sftpfs::ssh
