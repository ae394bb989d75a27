// See spying_ctr.h.
#include "unit/ssh/spying_ctr.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <utility>

namespace sftpfs::ssh::test {
namespace {

constexpr unsigned kRightCalls = 100;

std::vector<std::size_t>& calls() {
  static std::vector<std::size_t> sizes;
  return sizes;
}

template <std::size_t kKeyBytes>
const char* name_of() {
  return kKeyBytes == 16 ? "AES-128-CTR" : kKeyBytes == 24 ? "AES-192-CTR" : "AES-256-CTR";
}

// One operation; the work is done by OpenSSL's own.
struct Operation {
  CipherContext inner{EVP_CIPHER_CTX_new()};
  unsigned calls = 0;
};

template <std::size_t kKeyBytes>
void* new_context(void* /*provider*/) {
  auto operation = std::make_unique<Operation>();
  const Cipher cipher(EVP_CIPHER_fetch(nullptr, name_of<kKeyBytes>(), "provider=default"));
  EVP_EncryptInit_ex2(operation->inner.get(), cipher.get(), nullptr, nullptr, nullptr);
  return operation.release();
}

void free_context(void* context) { std::unique_ptr<Operation>{static_cast<Operation*>(context)}; }

void* copy_context(void* context) {
  const auto* original = static_cast<const Operation*>(context);
  auto copy = std::make_unique<Operation>();
  if (EVP_CIPHER_CTX_copy(copy->inner.get(), original->inner.get()) != 1) return nullptr;
  copy->calls = original->calls;
  return copy.release();
}

int init(void* context, const unsigned char* key, std::size_t /*key_bytes*/,
         const unsigned char* iv, std::size_t /*iv_bytes*/, const OSSL_PARAM* params) {
  return EVP_EncryptInit_ex2(static_cast<Operation*>(context)->inner.get(), nullptr, key, iv,
                             params);
}

template <bool kWrong>
int crypt(void* context, unsigned char* out, std::size_t* out_bytes, std::size_t /*out_max*/,
          const unsigned char* in, std::size_t in_bytes) {
  auto* operation = static_cast<Operation*>(context);
  int done = 0;
  if (EVP_EncryptUpdate(operation->inner.get(), out, &done, in, static_cast<int>(in_bytes)) != 1) {
    return 0;
  }
  *out_bytes = static_cast<std::size_t>(done);
  if (kWrong && in_bytes > 0 && ++operation->calls > kRightCalls) out[in_bytes - 1] ^= 1;
  if (!kWrong) calls().push_back(in_bytes);
  return 1;
}

int finish(void* /*context*/, unsigned char* /*out*/, std::size_t* out_bytes, std::size_t /*max*/) {
  *out_bytes = 0;
  return 1;
}

template <std::size_t kKeyBytes>
int get_params(OSSL_PARAM* params) {
  for (const auto& [key, value] :
       {std::pair<const char*, std::size_t>{OSSL_CIPHER_PARAM_KEYLEN, kKeyBytes},
        {OSSL_CIPHER_PARAM_IVLEN, 16},
        {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1}}) {
    OSSL_PARAM* p = OSSL_PARAM_locate(params, key);
    if (p != nullptr && OSSL_PARAM_set_size_t(p, value) != 1) return 0;
  }
  OSSL_PARAM* mode = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_MODE);
  return mode == nullptr ? 1 : OSSL_PARAM_set_uint(mode, EVP_CIPH_CTR_MODE);
}

int get_context_params(void* context, OSSL_PARAM* params) {
  return EVP_CIPHER_CTX_get_params(static_cast<Operation*>(context)->inner.get(), params);
}

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

template <bool kWrong, std::size_t kKeyBytes>
const OSSL_DISPATCH* cipher_table() {
  static const std::array<OSSL_DISPATCH, 11> table{{
      entry(OSSL_FUNC_CIPHER_NEWCTX, new_context<kKeyBytes>),
      entry(OSSL_FUNC_CIPHER_FREECTX, free_context),
      entry(OSSL_FUNC_CIPHER_DUPCTX, copy_context),
      entry(OSSL_FUNC_CIPHER_ENCRYPT_INIT, init),
      entry(OSSL_FUNC_CIPHER_DECRYPT_INIT, init),
      entry(OSSL_FUNC_CIPHER_UPDATE, crypt<kWrong>),
      entry(OSSL_FUNC_CIPHER_CIPHER, crypt<kWrong>),
      entry(OSSL_FUNC_CIPHER_FINAL, finish),
      entry(OSSL_FUNC_CIPHER_GET_PARAMS, get_params<kKeyBytes>),
      entry(OSSL_FUNC_CIPHER_GET_CTX_PARAMS, get_context_params),
      {0, nullptr},
  }};
  return table.data();
}

template <bool kWrong>
const OSSL_ALGORITHM* query_operation(void* /*provider*/, int operation, int* no_cache) {
  static constexpr const char* kProperty = kWrong ? "provider=wrong_ctr" : "provider=spying_ctr";
  static const std::array<OSSL_ALGORITHM, 4> ciphers{{
      {"AES-128-CTR", kProperty, cipher_table<kWrong, 16>(), nullptr},
      {"AES-192-CTR", kProperty, cipher_table<kWrong, 24>(), nullptr},
      {"AES-256-CTR", kProperty, cipher_table<kWrong, 32>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  *no_cache = 0;
  return operation == OSSL_OP_CIPHER ? ciphers.data() : nullptr;
}

template <bool kWrong>
int init_provider(const OSSL_DISPATCH** out) {
  static const std::array<OSSL_DISPATCH, 2> table{{
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_operation<kWrong>),
      {0, nullptr},
  }};
  *out = table.data();
  return 1;
}

}  // namespace

int init_spying_provider(const OSSL_CORE_HANDLE* /*handle*/, const OSSL_DISPATCH* /*in*/,
                         const OSSL_DISPATCH** out, void** /*provider_context*/) {
  return init_provider<false>(out);
}

int init_wrong_provider(const OSSL_CORE_HANDLE* /*handle*/, const OSSL_DISPATCH* /*in*/,
                        const OSSL_DISPATCH** out, void** /*provider_context*/) {
  return init_provider<true>(out);
}

SpyingCtr::SpyingCtr()
    : library_(OSSL_LIB_CTX_new()), default_(OSSL_PROVIDER_load(library_.get(), "default")) {
  OSSL_PROVIDER_add_builtin(library_.get(), "spying_ctr", init_spying_provider);
  spy_.reset(OSSL_PROVIDER_load(library_.get(), "spying_ctr"));
  calls().clear();
}

Cipher SpyingCtr::aes_128_ctr() const {
  return Cipher(EVP_CIPHER_fetch(library_.get(), "AES-128-CTR", "provider=spying_ctr"));
}

std::vector<std::size_t> SpyingCtr::take_calls() { return std::exchange(calls(), {}); }

}  // namespace sftpfs::ssh::test
