// Promises of ssh/ctr_provider.h to everybody who does not use AES-CTR: nothing changes.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ssh/ctr_provider.h"
#include "unit/ssh/spying_ctr.h"

namespace sftpfs::ssh::test {
namespace {

std::unique_ptr<CtrAcceleration> installed() {
  auto acceleration = CtrAcceleration::install();
  EXPECT_TRUE(acceleration) << acceleration.error().describe();
  return acceleration ? std::move(*acceleration) : nullptr;
}

using Served = std::vector<std::string>;  // "SHA2-256 default"

template <class Algorithm, auto kName, auto kProvider>
void note(Algorithm* algorithm, void* served) {
  static_cast<Served*>(served)->push_back(std::string(kName(algorithm)) + " " +
                                          OSSL_PROVIDER_get0_name(kProvider(algorithm)));
}

// Every algorithm that somebody in the process offers, and by whom it is served if nobody is named.
template <class Algorithm, auto kName, auto kProvider, auto kFetch, auto kFree>
void look_up(void (*all)(OSSL_LIB_CTX*, void (*)(Algorithm*, void*), void*), Served& served) {
  Served offered;
  all(nullptr, note<Algorithm, kName, kProvider>, &offered);
  for (const std::string& entry : offered) {
    const std::string name = entry.substr(0, entry.find(' '));
    Algorithm* algorithm = kFetch(nullptr, name.c_str(), nullptr);
    if (algorithm == nullptr) {
      served.push_back(name + " nobody");
      continue;
    }
    note<Algorithm, kName, kProvider>(algorithm, &served);
    kFree(algorithm);
  }
}

// EVP_MD and the others are one interface under many names.
#define SFTPFS_LOOK_UP(TYPE, served)                                                \
  look_up<TYPE, TYPE##_get0_name, TYPE##_get0_provider, TYPE##_fetch, TYPE##_free>( \
      TYPE##_do_all_provided, served)

Served everything_but_aes_ctr() {
  Served served;
  SFTPFS_LOOK_UP(EVP_CIPHER, served);
  SFTPFS_LOOK_UP(EVP_MD, served);
  SFTPFS_LOOK_UP(EVP_MAC, served);
  SFTPFS_LOOK_UP(EVP_KDF, served);
  SFTPFS_LOOK_UP(EVP_RAND, served);
  SFTPFS_LOOK_UP(EVP_KEYMGMT, served);
  SFTPFS_LOOK_UP(EVP_KEYEXCH, served);
  SFTPFS_LOOK_UP(EVP_SIGNATURE, served);
  SFTPFS_LOOK_UP(EVP_ASYM_CIPHER, served);
  SFTPFS_LOOK_UP(EVP_KEM, served);
  std::sort(served.begin(), served.end());
  served.erase(std::unique(served.begin(), served.end()), served.end());
  std::erase_if(served, [](const std::string& entry) {
    return entry.starts_with("AES-128-CTR ") || entry.starts_with("AES-192-CTR ") ||
           entry.starts_with("AES-256-CTR ");
  });
  return served;
}

TEST(Bystanders, EveryOtherAlgorithmIsServedByWhomItWas) {
  const Served before = everything_but_aes_ctr();
  EXPECT_GT(before.size(), 150U);
  {
    const auto acceleration = installed();
    EXPECT_EQ(everything_but_aes_ctr(), before);
  }
  EXPECT_EQ(everything_but_aes_ctr(), before);
}

struct FreeRandom {
  void operator()(EVP_RAND* random) const { EVP_RAND_free(random); }
  void operator()(EVP_RAND_CTX* context) const { EVP_RAND_CTX_free(context); }
};

std::unique_ptr<EVP_RAND_CTX, FreeRandom> random_generator(const char* name, EVP_RAND_CTX* parent) {
  const std::unique_ptr<EVP_RAND, FreeRandom> random(EVP_RAND_fetch(nullptr, name, nullptr));
  return std::unique_ptr<EVP_RAND_CTX, FreeRandom>(EVP_RAND_CTX_new(random.get(), parent));
}

// What OpenSSL's generator of random numbers makes of a fixed seed; it is built on AES-256-CTR.
std::vector<unsigned char> random_of_fixed_seed() {
  std::array<unsigned char, 96> entropy{42};
  std::array<unsigned char, 32> nonce{43};
  unsigned strength = 256;
  const auto seed = random_generator("TEST-RAND", nullptr);
  std::array<OSSL_PARAM, 4> seed_params{
      OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, entropy.data(),
                                        entropy.size()),
      OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_NONCE, nonce.data(), nonce.size()),
      OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength), OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_RAND_instantiate(seed.get(), 256, 0, nullptr, 0, seed_params.data()), 1);
  std::string cipher = "AES-256-CTR";
  const auto generator = random_generator("CTR-DRBG", seed.get());
  std::array<OSSL_PARAM, 2> params{
      OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, cipher.data(), 0),
      OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_RAND_instantiate(generator.get(), 256, 0, nullptr, 0, params.data()), 1);
  std::vector<unsigned char> all;
  for (std::size_t size = 1; size < 400; ++size) {
    std::vector<unsigned char> bytes(size);
    EXPECT_EQ(EVP_RAND_generate(generator.get(), bytes.data(), size, 256, 0, nullptr, 0), 1);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

TEST(Bystanders, RandomNumbersStayTheSame) {
  const std::vector<unsigned char> before = random_of_fixed_seed();
  const auto acceleration = installed();
  EXPECT_EQ(random_of_fixed_seed(), before);
  const EVP_RAND* random = EVP_RAND_CTX_get0_rand(RAND_get0_public(nullptr));
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_RAND_get0_provider(random)), "default");
}

TEST(Bystanders, TheRandomGeneratorOutlivesTheProvider) {
  std::array<unsigned char, 64> bytes{};
  auto acceleration = installed();
  std::thread([&bytes] {
    EXPECT_EQ(RAND_bytes(bytes.data(), bytes.size()), 1);
    EXPECT_EQ(RAND_priv_bytes(bytes.data(), bytes.size()), 1);
  }).join();
  EXPECT_EQ(RAND_bytes(bytes.data(), bytes.size()), 1);
  acceleration.reset();
  EXPECT_EQ(RAND_bytes(bytes.data(), bytes.size()), 1);
  EXPECT_EQ(RAND_priv_bytes(bytes.data(), bytes.size()), 1);
}

// Encrypts with every cipher of the default provider that takes a key, a counter and bytes.
std::vector<std::string> answers_of_other_ciphers() {
  std::vector<std::string> answers;
  for (const char* name :
       {"AES-128-GCM", "AES-256-GCM", "AES-256-CBC", "AES-128-CFB", "AES-128-OFB", "AES-128-SIV",
        "AES-256-SIV", "AES-128-OCB", "ARIA-128-CTR", "CAMELLIA-256-CTR", "ChaCha20",
        "ChaCha20-Poly1305", "DES-EDE3-CBC"}) {
    const Cipher cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
    EXPECT_TRUE(cipher) << name;
    const CipherContext context(EVP_CIPHER_CTX_new());
    const std::array<unsigned char, 64> key{7, 1, 2, 3, 4, 5, 6, 9, 8};
    EVP_EncryptInit_ex2(context.get(), cipher.get(), key.data(), key.data(), nullptr);
    std::string answer(1000, 'a');
    auto* bytes = reinterpret_cast<unsigned char*>(answer.data());
    int size = 0;
    int rest = 0;
    EXPECT_EQ(EVP_EncryptUpdate(context.get(), bytes, &size, bytes, 500), 1) << name;
    EXPECT_EQ(EVP_EncryptFinal_ex(context.get(), bytes + size, &rest), 1) << name;
    answers.push_back(name + answer);
  }
  return answers;
}

TEST(Bystanders, OtherCiphersGiveTheSameAnswers) {
  const std::vector<std::string> before = answers_of_other_ciphers();
  const auto acceleration = installed();
  EXPECT_EQ(answers_of_other_ciphers(), before);
}

}  // namespace
}  // namespace sftpfs::ssh::test
