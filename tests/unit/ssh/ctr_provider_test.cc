// Promises of ssh/ctr_provider.h: the same bytes, nothing else changed, and no trace afterwards.
#include "ssh/ctr_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "ssh/ctr_dispatch.h"
#include "ssh/ctr_self_test.h"
#include "support/temp_dir.h"
#include "unit/ssh/ctr_twins.h"
#include "unit/ssh/spying_ctr.h"

namespace sftpfs::ssh::test {
namespace {

using testing::HasSubstr;

constexpr std::array<std::size_t, 3> kKeyBits{128, 192, 256};

std::string provider_of(const EVP_CIPHER* cipher) {
  return OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher));
}

std::string provider_of_cipher(const char* name) {
  const Cipher cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
  return cipher ? provider_of(cipher.get()) : "nobody";
}

std::unique_ptr<CtrAcceleration> installed() {
  auto acceleration = CtrAcceleration::install();
  EXPECT_TRUE(acceleration) << acceleration.error().describe();
  return acceleration ? std::move(*acceleration) : nullptr;
}

TEST(CtrAcceleration, ServesAesCtrWhileItExistsAndNotAfterwards) {
  for (int i = 0; i < 3; ++i) {
    auto acceleration = installed();
    for (const char* name : {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"}) {
      EXPECT_EQ(provider_of_cipher(name), kCtrProviderName);
    }
    acceleration.reset();
    for (const char* name : {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"}) {
      EXPECT_EQ(provider_of_cipher(name), "default");
    }
  }
}

TEST(CtrAcceleration, GivesBitForBitWhatTheDefaultProviderGives) {
  const auto acceleration = installed();
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    Twins twins(kKeyBits[seed % kKeyBits.size()], seed);
    ASSERT_TRUE(twins.live(20)) << "seed " << seed << ": " << twins.what();
  }
}

TEST(CtrAcceleration, ServesEightThreadsAtOnce) {
  const auto acceleration = installed();
  std::vector<std::thread> threads;
  std::array<std::string, 8> complaints;
  for (std::size_t thread = 0; thread < complaints.size(); ++thread) {
    threads.emplace_back([thread, &complaint = complaints[thread]] {
      for (std::uint64_t i = 0; i < 40 && complaint.empty(); ++i) {
        Twins twins(kKeyBits[i % kKeyBits.size()], 1'000'000 * (thread + 1) + i);
        if (!twins.live(20)) complaint = twins.what();
        std::array<unsigned char, 100> random{};
        if (RAND_bytes(random.data(), random.size()) != 1) complaint = "RAND_bytes";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& complaint : complaints) EXPECT_EQ(complaint, "");
}

TEST(CtrAcceleration, OperationsOutliveIt) {
  auto acceleration = installed();
  const CipherContext context(EVP_CIPHER_CTX_new());
  const CipherContext expected(EVP_CIPHER_CTX_new());
  const std::array<unsigned char, 16> key{1};
  const Cipher reference(EVP_CIPHER_fetch(nullptr, "AES-128-CTR", "provider=default"));
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, key.data(), key.data());
  EVP_EncryptInit_ex(expected.get(), reference.get(), nullptr, key.data(), key.data());
  for (int i = 0; i < 500; ++i) {
    if (i == 100) acceleration.reset();
    std::array<unsigned char, 16> one{};
    std::array<unsigned char, 16> other{};
    ASSERT_EQ(EVP_Cipher(context.get(), one.data(), one.data(), one.size()), 16);
    ASSERT_EQ(EVP_Cipher(expected.get(), other.data(), other.data(), other.size()), 16);
    ASSERT_EQ(one, other) << i;
  }
}

TEST(CtrAcceleration, DescribesTheCiphersAsTheDefaultProviderDoes) {
  const auto acceleration = installed();
  for (const char* name : {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"}) {
    const Cipher one(EVP_CIPHER_fetch(nullptr, name, nullptr));
    const Cipher other(EVP_CIPHER_fetch(nullptr, name, "provider=default"));
    EXPECT_EQ(EVP_CIPHER_get_flags(one.get()), EVP_CIPHER_get_flags(other.get()));
    EXPECT_EQ(EVP_CIPHER_get_mode(one.get()), EVP_CIPHER_get_mode(other.get()));
    EXPECT_EQ(EVP_CIPHER_get_nid(one.get()), EVP_CIPHER_get_nid(other.get()));
    EXPECT_EQ(EVP_CIPHER_get_block_size(one.get()), EVP_CIPHER_get_block_size(other.get()));
    EXPECT_EQ(EVP_CIPHER_get_key_length(one.get()), EVP_CIPHER_get_key_length(other.get()));
    EXPECT_EQ(EVP_CIPHER_get_iv_length(one.get()), EVP_CIPHER_get_iv_length(other.get()));
    EXPECT_EQ(EVP_CIPHER_gettable_params(one.get()), EVP_CIPHER_gettable_params(other.get()));
    EXPECT_EQ(EVP_CIPHER_gettable_ctx_params(one.get()),
              EVP_CIPHER_gettable_ctx_params(other.get()));
    EXPECT_EQ(EVP_CIPHER_settable_ctx_params(one.get()),
              EVP_CIPHER_settable_ctx_params(other.get()));
  }
}

// --- where it stays away ---

TEST(CtrAcceleration, IsThereOnlyOnce) {
  const auto first = installed();
  const auto second = CtrAcceleration::install();
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(ErrorCode::kUnsupported));
  EXPECT_EQ(provider_of_cipher("AES-128-CTR"), kCtrProviderName);
}

TEST(CtrAcceleration, RefusesInFipsMode) {
  ASSERT_EQ(EVP_default_properties_enable_fips(nullptr, 1), 1);
  const auto acceleration = CtrAcceleration::install();
  EXPECT_EQ(EVP_default_properties_is_fips_enabled(nullptr), 1);
  ASSERT_EQ(EVP_default_properties_enable_fips(nullptr, 0), 1);
  ASSERT_FALSE(acceleration);
  EXPECT_THAT(acceleration.error().message(), HasSubstr("FIPS"));
  EXPECT_EQ(provider_of_cipher("AES-128-CTR"), "default");
}

class WithConfig : public testing::Test {
 protected:
  void configure(const std::string& algorithms) {
    const std::string path = directory_.file("openssl.cnf");
    std::ofstream(path) << "openssl_conf = init\n[init]\nalg_section = algorithms\n[algorithms]\n"
                        << algorithms << "\n";
    ::setenv("OPENSSL_CONF", path.c_str(), 1);
  }
  ~WithConfig() override { ::unsetenv("OPENSSL_CONF"); }

  sftpfs::test::TempDir directory_;
};

TEST_F(WithConfig, CtrAccelerationRespectsDefaultPropertiesOfTheMachine) {
  configure("default_properties = ?provider=pkcs11");
  const auto acceleration = CtrAcceleration::install();
  ASSERT_FALSE(acceleration);
  EXPECT_THAT(acceleration.error().message(), HasSubstr("default_properties"));
}

TEST_F(WithConfig, CtrAccelerationAcceptsAConfigurationWithoutThem) {
  configure("");
  EXPECT_TRUE(CtrAcceleration::install());
}

TEST(CtrAcceleration, AProviderThatAnswersWronglyIsGoneAtOnce) {
  const auto acceleration = CtrAcceleration::install_as("wrong_ctr", init_wrong_provider);
  ASSERT_FALSE(acceleration);
  EXPECT_TRUE(acceleration.error().is(ErrorCode::kUnsupported));
  EXPECT_THAT(acceleration.error().message(), HasSubstr("AES-128-CTR failed its self-test"));
  EXPECT_EQ(OSSL_PROVIDER_available(nullptr, "wrong_ctr"), 0);
  EXPECT_EQ(provider_of_cipher("AES-128-CTR"), "default");
  EXPECT_TRUE(CtrAcceleration::install());
}

TEST(CtrSelfTest, PassesOpensslItselfAndAPassiveSpy) {
  EXPECT_TRUE(ctr_self_test(nullptr, "provider=default"));
  const SpyingCtr spy;
  EXPECT_TRUE(ctr_self_test(spy.library(), "provider=spying_ctr"));
}

TEST(CtrSelfTest, FailsWhereNobodyIsFound) {
  EXPECT_FALSE(ctr_self_test(nullptr, "provider=nobody"));
}

}  // namespace
}  // namespace sftpfs::ssh::test
