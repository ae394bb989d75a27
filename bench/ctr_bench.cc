// What one call of libssh2's size costs, by OpenSSL's own AES-CTR and by the accelerated one.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "ssh/ctr_provider.h"

namespace {

struct Free {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

constexpr const char* kOpenssl = "provider=default";
constexpr const char* kAccelerated = "provider=sftpfs_ctr";

// One EVP_Cipher() in place, as libssh2's aes_crypt does; 1 MiB is a call nothing is gained for.
void cipher_call(benchmark::State& state, const char* name, const char* provider) {
  const auto acceleration = sftpfs::ssh::CtrAcceleration::install();
  if (!acceleration) return state.SkipWithError(acceleration.error().describe().c_str());
  const std::unique_ptr<EVP_CIPHER, Free> cipher(EVP_CIPHER_fetch(nullptr, name, provider));
  const std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  const std::array<unsigned char, 32> key{1, 2, 3};
  EVP_EncryptInit_ex2(context.get(), cipher.get(), key.data(), key.data(), nullptr);
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto bytes = std::make_unique<unsigned char[]>(size);
  for (auto _ : state) {
    EVP_Cipher(context.get(), bytes.get(), bytes.get(), static_cast<unsigned>(size));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

#define SFTPFS_CTR_BENCH(bits)                                                               \
  BENCHMARK_CAPTURE(cipher_call, aes##bits##_openssl, "AES-" #bits "-CTR", kOpenssl)         \
      ->Arg(16)                                                                              \
      ->Arg(1 << 20);                                                                        \
  BENCHMARK_CAPTURE(cipher_call, aes##bits##_accelerated, "AES-" #bits "-CTR", kAccelerated) \
      ->Arg(16)                                                                              \
      ->Arg(1 << 20)
SFTPFS_CTR_BENCH(128);
SFTPFS_CTR_BENCH(192);
SFTPFS_CTR_BENCH(256);

}  // namespace

BENCHMARK_MAIN();
