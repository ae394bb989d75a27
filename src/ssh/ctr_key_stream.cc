// See ctr_key_stream.h.
//
//        short call no. 16, inner at the start of a block
//   +---------+ ------------------------------------------> +-----------+
//   | passing |                                             | preparing | batches 256 B ... 4 KiB
//   +---------+ <------------------------------------------ +-----------+
//      ^  |        long call: first the prepared bytes;
//      +--+        init, parameters: rewind or discard
#include <openssl/opensslv.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include "ssh/ctr_key_stream.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/proverr.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kBlockBytes = 16;

// Takes `blocks` off a big-endian counter of 128 bits, which wraps.
void step_back(std::array<unsigned char, CtrKeyStream::kIvBytes>& counter, std::size_t blocks) {
  std::size_t borrow = blocks;
  for (std::size_t i = counter.size(); i-- > 0 && borrow != 0;) {
    const std::size_t byte = borrow & 0xff;
    borrow >>= 8;
    if (counter[i] < byte) ++borrow;
    counter[i] = static_cast<unsigned char>(counter[i] - byte);
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-new-delete-overloads): clang-tidy 14 does not know the sized delete.
void* CtrKeyStream::operator new(std::size_t size) noexcept { return OPENSSL_malloc(size); }

void CtrKeyStream::operator delete(void* memory, std::size_t size) noexcept {
  OPENSSL_clear_free(memory, size);
}

std::unique_ptr<CtrKeyStream> CtrKeyStream::create(const EVP_CIPHER* cipher) {
  CipherContext inner(EVP_CIPHER_CTX_new());
  if (!inner || EVP_EncryptInit_ex2(inner.get(), cipher, nullptr, nullptr, nullptr) != 1) {
    return nullptr;
  }
  return std::make_unique<CtrKeyStream>(std::move(inner));
}

std::unique_ptr<CtrKeyStream> CtrKeyStream::clone() const {
  CipherContext inner(EVP_CIPHER_CTX_new());
  if (!inner || EVP_CIPHER_CTX_copy(inner.get(), inner_.get()) != 1) return nullptr;
  auto copy = std::make_unique<CtrKeyStream>(std::move(inner));
  if (!copy) return nullptr;
  copy->end_ = prepared();
  std::memcpy(copy->batch_.data(), batch_.data() + next_, prepared());
  copy->batch_bytes_ = batch_bytes_;
  copy->run_ = run_;
  copy->at_block_start_ = at_block_start_;
  copy->pass_only_ = pass_only_;
  copy->original_iv_ = original_iv_;
  return copy;
}

bool CtrKeyStream::init(const unsigned char* key, std::size_t key_bytes, const unsigned char* iv,
                        std::size_t iv_bytes, const OSSL_PARAM* params, bool encrypt) {
  if (key != nullptr &&
      key_bytes != static_cast<std::size_t>(EVP_CIPHER_CTX_get_key_length(inner_.get()))) {
    ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_KEY_LENGTH);
    return false;
  }
  if (iv != nullptr && iv_bytes != kIvBytes) {
    ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_IV_LENGTH);
    return false;
  }
  if (iv != nullptr) {
    discard();
    std::copy_n(iv, kIvBytes, original_iv_.begin());
  } else if (!rewind()) {
    return false;
  }
  if (EVP_CipherInit_ex2(inner_.get(), nullptr, key, iv, encrypt ? 1 : 0, nullptr) != 1) {
    return false;
  }
  return set_params(params);
}

bool CtrKeyStream::crypt_beyond_prepared(unsigned char* out, const unsigned char* in,
                                         std::size_t size) {
  if (size == 0) return pass_on(out, in, size);
  const bool short_call = size <= kShortCallBytes;
  if (!short_call) {
    run_ = 0;
    batch_bytes_ = kBatchMinBytes;
  } else if (run_ < kRunBeforeBatches) {
    ++run_;
  }
  const std::size_t first = std::min(size, prepared());
  take(out, in, first);
  if (first == size) return true;
  if (!short_call || !may_prepare()) return pass_on(out + first, in + first, size - first);
  if (!prepare()) return false;
  take(out + first, in + first, size - first);
  return true;
}

// The inner operation itself does the work.
bool CtrKeyStream::pass_on(unsigned char* out, const unsigned char* in, std::size_t size) {
  constexpr std::size_t kCallMaxBytes = std::size_t{1} << 30;  // the interface counts in int
  at_block_start_ = false;
  do {
    const std::size_t piece = std::min(size, kCallMaxBytes);
    int done = 0;
    if (EVP_CipherUpdate(inner_.get(), out, &done, in, static_cast<int>(piece)) != 1) return false;
    size -= piece;
    if (size == 0) return true;
    out += piece;
    in += piece;
  } while (true);
}

bool CtrKeyStream::may_prepare() {
  if (run_ < kRunBeforeBatches || pass_only_) return false;
  if (!at_block_start_) {
    at_block_start_ = EVP_CIPHER_CTX_get_num(inner_.get()) == 0;
    if (!at_block_start_) run_ = 0;  // ask again after another run
  }
  return at_block_start_;
}

// Fills `batch_`, all of which has been used.
bool CtrKeyStream::prepare() {
  static_assert(kBatchMinBytes % kBlockBytes == 0 && kBatchMinBytes >= kShortCallBytes);
  SFTPFS_CHECK(prepared() == 0);
  next_ = 0;
  end_ = 0;
  std::memset(batch_.data(), 0, batch_bytes_);
  int done = 0;
  if (EVP_CipherUpdate(inner_.get(), batch_.data(), &done, batch_.data(),
                       static_cast<int>(batch_bytes_)) != 1) {
    return false;
  }
  end_ = batch_bytes_;
  batch_bytes_ = std::min(batch_bytes_ * 2, kBatchMaxBytes);
  return true;
}

// Brings `inner_` back to where the caller is, and forgets what was prepared.
bool CtrKeyStream::rewind() {
  const std::size_t ahead = prepared();
  discard();
  if (ahead == 0) return true;
  std::array<unsigned char, kIvBytes> counter{};
  EVP_CIPHER_CTX* inner = inner_.get();
  if (EVP_CIPHER_CTX_get_updated_iv(inner, counter.data(), counter.size()) != 1) return false;
  step_back(counter, (ahead + kBlockBytes - 1) / kBlockBytes);
  if (EVP_CipherInit_ex2(inner, nullptr, nullptr, counter.data(), -1, nullptr) != 1) return false;
  const std::size_t used_of_block = (kBlockBytes - ahead % kBlockBytes) % kBlockBytes;
  if (used_of_block == 0) return true;
  std::array<unsigned char, kBlockBytes> dropped{};
  const bool skipped = pass_on(dropped.data(), dropped.data(), used_of_block);
  OPENSSL_cleanse(dropped.data(), dropped.size());
  return skipped;
}

// What follows starts as a new operation does; after init() the inner one may stand anywhere.
void CtrKeyStream::discard() {
  if (end_ != 0) OPENSSL_cleanse(batch_.data(), batch_.size());
  next_ = 0;
  end_ = 0;
  batch_bytes_ = kBatchMinBytes;
  run_ = 0;
  at_block_start_ = false;
}

bool CtrKeyStream::finish() {
  // The inner operation has an opinion (no key set) and no bytes: a stream has no last block.
  std::array<unsigned char, kBlockBytes> none{};
  int done = 0;
  return EVP_CipherFinal_ex(inner_.get(), none.data(), &done) == 1;
}

bool CtrKeyStream::get_params(OSSL_PARAM* params) {
  const OSSL_PARAM* counter = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_UPDATED_IV);
  const OSSL_PARAM* num = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_NUM);
  if ((counter != nullptr || num != nullptr) && !rewind()) return false;
  // The caller gets a pointer to the counter itself (EVP_CIPHER_CTX_iv_noconst) and may write
  // there.
  if (counter != nullptr && counter->data_type == OSSL_PARAM_OCTET_PTR) pass_only_ = true;
  if (EVP_CIPHER_CTX_get_params(inner_.get(), params) != 1) return false;
  OSSL_PARAM* iv = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_IV);
  return iv == nullptr ||
         OSSL_PARAM_set_octet_ptr(iv, original_iv_.data(), original_iv_.size()) == 1 ||
         OSSL_PARAM_set_octet_string(iv, original_iv_.data(), original_iv_.size()) == 1;
}

bool CtrKeyStream::set_params(const OSSL_PARAM* params) {
  if (params == nullptr || params->key == nullptr) return true;
  if (!rewind()) return false;
  // With a TLS version set, the inner operation looks at whole records.
  if (OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_TLS_VERSION) != nullptr) pass_only_ = true;
  return EVP_CIPHER_CTX_set_params(inner_.get(), params) == 1;
}

}  // namespace sftpfs::ssh
#endif
