// See ctr_dispatch.h. Tables and thin functions of the shapes openssl/core_dispatch.h prescribes.
#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include "ssh/ctr_dispatch.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/provider.h>

#include <array>
#include <memory>
#include <string_view>
#include <type_traits>

#include "ssh/ctr_key_stream.h"

namespace sftpfs::ssh {
namespace {

struct Free {
  void operator()(OSSL_LIB_CTX* context) const { OSSL_LIB_CTX_free(context); }
  void operator()(OSSL_PROVIDER* provider) const { OSSL_PROVIDER_unload(provider); }
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};

struct KeySize {
  std::size_t bytes;
  const char* name;
};
constexpr std::array<KeySize, 3> kKeySizes{
    {{16, "AES-128-CTR"}, {24, "AES-192-CTR"}, {32, "AES-256-CTR"}}};

// What lives as long as the provider; the members fall in the reverse order.
struct Provider {
  std::unique_ptr<OSSL_LIB_CTX, Free> library;
  std::unique_ptr<OSSL_PROVIDER, Free> default_provider;
  std::array<std::unique_ptr<EVP_CIPHER, Free>, kKeySizes.size()> ciphers;
};

const EVP_CIPHER* any_cipher(void* provider) {
  return static_cast<const Provider*>(provider)->ciphers[0].get();
}

CtrKeyStream* stream_of(void* context) { return static_cast<CtrKeyStream*>(context); }

// --- one operation ---

template <std::size_t kKeySize>
void* new_context(void* provider) {
  return CtrKeyStream::create(static_cast<const Provider*>(provider)->ciphers[kKeySize].get())
      .release();
}

void free_context(void* context) { std::unique_ptr<CtrKeyStream>{stream_of(context)}; }

void* copy_context(void* context) { return stream_of(context)->clone().release(); }

template <bool kEncrypt>
int init(void* context, const unsigned char* key, std::size_t key_bytes, const unsigned char* iv,
         std::size_t iv_bytes, const OSSL_PARAM* params) {
  return stream_of(context)->init(key, key_bytes, iv, iv_bytes, params, kEncrypt) ? 1 : 0;
}

// Both EVP_CipherUpdate() and EVP_Cipher(): in a stream each byte comes out at once.
int crypt(void* context, unsigned char* out, std::size_t* out_bytes, std::size_t out_max_bytes,
          const unsigned char* in, std::size_t in_bytes) {
  if (out_max_bytes < in_bytes) {
    ERR_raise(ERR_LIB_PROV, PROV_R_OUTPUT_BUFFER_TOO_SMALL);
    return 0;
  }
  if (!stream_of(context)->crypt(out, in, in_bytes)) return 0;
  *out_bytes = in_bytes;
  return 1;
}

int finish(void* context, unsigned char* /*out*/, std::size_t* out_bytes,
           std::size_t /*out_max_bytes*/) {
  if (!stream_of(context)->finish()) return 0;
  *out_bytes = 0;
  return 1;
}

int get_context_params(void* context, OSSL_PARAM* params) {
  return stream_of(context)->get_params(params) ? 1 : 0;
}

int set_context_params(void* context, const OSSL_PARAM* params) {
  return stream_of(context)->set_params(params) ? 1 : 0;
}

// --- the cipher itself ---

// OpenSSL passes no provider here, so the constant facts are written down.
template <std::size_t kKeySize>
int get_cipher_params(OSSL_PARAM* params) {
  for (OSSL_PARAM* p = params; p != nullptr && p->key != nullptr; ++p) {
    const std::string_view key(p->key);
    int set = 1;
    if (key == OSSL_CIPHER_PARAM_MODE) {
      set = OSSL_PARAM_set_uint(p, EVP_CIPH_CTR_MODE);
    } else if (key == OSSL_CIPHER_PARAM_KEYLEN) {
      set = OSSL_PARAM_set_size_t(p, kKeySizes[kKeySize].bytes);
    } else if (key == OSSL_CIPHER_PARAM_IVLEN) {
      set = OSSL_PARAM_set_size_t(p, CtrKeyStream::kIvBytes);
    } else if (key == OSSL_CIPHER_PARAM_BLOCK_SIZE) {
      set = OSSL_PARAM_set_size_t(p, 1);
    } else if (key == OSSL_CIPHER_PARAM_AEAD || key == OSSL_CIPHER_PARAM_CUSTOM_IV ||
               key == OSSL_CIPHER_PARAM_CTS || key == OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK ||
               key == OSSL_CIPHER_PARAM_HAS_RAND_KEY) {
      set = OSSL_PARAM_set_int(p, 0);
    }
    if (set != 1) {
      ERR_raise(ERR_LIB_PROV, PROV_R_FAILED_TO_SET_PARAMETER);
      return 0;
    }
  }
  return 1;
}

const OSSL_PARAM* gettable_cipher_params(void* provider) {
  return EVP_CIPHER_gettable_params(any_cipher(provider));
}
const OSSL_PARAM* gettable_context_params(void* /*context*/, void* provider) {
  return EVP_CIPHER_gettable_ctx_params(any_cipher(provider));
}
const OSSL_PARAM* settable_context_params(void* /*context*/, void* provider) {
  return EVP_CIPHER_settable_ctx_params(any_cipher(provider));
}

// A table entry; the compiler checks the function against OpenSSL's own declaration of it.
template <class Prescribed>
OSSL_DISPATCH entry(int id, std::type_identity_t<Prescribed>* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

template <std::size_t kKeySize>
const OSSL_DISPATCH* cipher_table() {
  static const std::array<OSSL_DISPATCH, 16> table{{
      entry<OSSL_FUNC_cipher_newctx_fn>(OSSL_FUNC_CIPHER_NEWCTX, new_context<kKeySize>),
      entry<OSSL_FUNC_cipher_freectx_fn>(OSSL_FUNC_CIPHER_FREECTX, free_context),
      entry<OSSL_FUNC_cipher_dupctx_fn>(OSSL_FUNC_CIPHER_DUPCTX, copy_context),
      entry<OSSL_FUNC_cipher_encrypt_init_fn>(OSSL_FUNC_CIPHER_ENCRYPT_INIT, init<true>),
      entry<OSSL_FUNC_cipher_decrypt_init_fn>(OSSL_FUNC_CIPHER_DECRYPT_INIT, init<false>),
      entry<OSSL_FUNC_cipher_update_fn>(OSSL_FUNC_CIPHER_UPDATE, crypt),
      entry<OSSL_FUNC_cipher_cipher_fn>(OSSL_FUNC_CIPHER_CIPHER, crypt),
      entry<OSSL_FUNC_cipher_final_fn>(OSSL_FUNC_CIPHER_FINAL, finish),
      entry<OSSL_FUNC_cipher_get_params_fn>(OSSL_FUNC_CIPHER_GET_PARAMS,
                                            get_cipher_params<kKeySize>),
      entry<OSSL_FUNC_cipher_gettable_params_fn>(OSSL_FUNC_CIPHER_GETTABLE_PARAMS,
                                                 gettable_cipher_params),
      entry<OSSL_FUNC_cipher_get_ctx_params_fn>(OSSL_FUNC_CIPHER_GET_CTX_PARAMS,
                                                get_context_params),
      entry<OSSL_FUNC_cipher_gettable_ctx_params_fn>(OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS,
                                                     gettable_context_params),
      entry<OSSL_FUNC_cipher_set_ctx_params_fn>(OSSL_FUNC_CIPHER_SET_CTX_PARAMS,
                                                set_context_params),
      entry<OSSL_FUNC_cipher_settable_ctx_params_fn>(OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS,
                                                     settable_context_params),
      {0, nullptr},
  }};
  return table.data();
}

// --- the provider ---

const OSSL_ALGORITHM* query_operation(void* /*provider*/, int operation, int* no_cache) {
  static const std::array<OSSL_ALGORITHM, kKeySizes.size() + 1> ciphers{{
      {kKeySizes[0].name, kCtrProviderProperty, cipher_table<0>(), nullptr},
      {kKeySizes[1].name, kCtrProviderProperty, cipher_table<1>(), nullptr},
      {kKeySizes[2].name, kCtrProviderProperty, cipher_table<2>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  *no_cache = 0;
  return operation == OSSL_OP_CIPHER ? ciphers.data() : nullptr;
}

void tear_down(void* provider) { std::unique_ptr<Provider>{static_cast<Provider*>(provider)}; }

}  // namespace

int ctr_provider_init(const OSSL_CORE_HANDLE* /*handle*/, const OSSL_DISPATCH* /*in*/,
                      const OSSL_DISPATCH** out, void** provider_context) {
  static const std::array<OSSL_DISPATCH, 3> table{{
      entry<OSSL_FUNC_provider_teardown_fn>(OSSL_FUNC_PROVIDER_TEARDOWN, tear_down),
      entry<OSSL_FUNC_provider_query_operation_fn>(OSSL_FUNC_PROVIDER_QUERY_OPERATION,
                                                   query_operation),
      {0, nullptr},
  }};
  auto provider = std::make_unique<Provider>();
  provider->library.reset(OSSL_LIB_CTX_new());
  if (!provider->library) return 0;
  provider->default_provider.reset(OSSL_PROVIDER_load(provider->library.get(), "default"));
  if (!provider->default_provider) return 0;
  for (std::size_t i = 0; i < kKeySizes.size(); ++i) {
    provider->ciphers[i].reset(
        EVP_CIPHER_fetch(provider->library.get(), kKeySizes[i].name, nullptr));
    if (!provider->ciphers[i]) return 0;
  }
  *out = table.data();
  *provider_context = provider.release();
  return 1;
}

}  // namespace sftpfs::ssh
#endif
