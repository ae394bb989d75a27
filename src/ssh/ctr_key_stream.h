// CtrKeyStream: one AES-CTR operation that prepares key stream ahead of its caller.
//
// libssh2 enciphers 16 bytes per call, and of such a call OpenSSL's bookkeeping is the larger part.
// Once a run of short calls shows that more of them will follow, the key stream of many blocks is
// taken from OpenSSL's own AES-CTR in one call and XORed piece by piece. Everything else (long
// calls, parameters, errors) is handed to that inner operation, so that a caller cannot tell the
// two apart.
//
// Ownership: owns the inner operation and the prepared key stream; all of it is wiped when freed.
// Threads:   one thread at a time, as every EVP_CIPHER_CTX.
// Limits:    kBatchMaxBytes of memory each. A `num` parameter that is set to anything but 0 or its
//            present value means an offset into a block that was never made; OpenSSL then uses
//            left-over bytes, and which ones differs here.
#pragma once

#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

namespace sftpfs::ssh {

class CtrKeyStream {
 public:
  static constexpr std::size_t kIvBytes = 16;
  static constexpr std::size_t kShortCallBytes = 64;
  // So many short calls in succession start the preparing: the random generator, which fetches the
  // same cipher, never gets there.
  static constexpr unsigned kRunBeforeBatches = 16;
  static constexpr std::size_t kBatchMinBytes = 256;
  static constexpr std::size_t kBatchMaxBytes = 4096;

  struct FreeCipherContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext>;

  // Null when memory is short. `cipher` is an AES-CTR that is not served by this class.
  static std::unique_ptr<CtrKeyStream> create(const EVP_CIPHER* cipher);
  // For create() and clone().
  explicit CtrKeyStream(CipherContext inner) : inner_(std::move(inner)) {}
  CtrKeyStream(const CtrKeyStream&) = delete;
  CtrKeyStream& operator=(const CtrKeyStream&) = delete;
  // An operation of its own that goes on from the same place.
  std::unique_ptr<CtrKeyStream> clone() const;

  // The functions below return false, with a reason in OpenSSL's error queue, where OpenSSL would.

  // A null key or iv leaves that as it is; a block that was used in part is dropped either way.
  bool init(const unsigned char* key, std::size_t key_bytes, const unsigned char* iv,
            std::size_t iv_bytes, const OSSL_PARAM* params, bool encrypt);
  // `out` may be `in`, but not overlap it otherwise.
  bool crypt(unsigned char* out, const unsigned char* in, std::size_t size);
  bool finish();
  bool get_params(OSSL_PARAM* params);
  bool set_params(const OSSL_PARAM* params);

  // Out of OpenSSL's allocator, and wiped before it goes back: key stream is as secret as the key.
  static void* operator new(std::size_t size) noexcept;  // NOLINT(misc-new-delete-overloads)
  static void operator delete(void* memory, std::size_t size) noexcept;

 private:
  bool crypt_beyond_prepared(unsigned char* out, const unsigned char* in, std::size_t size);
  bool pass_on(unsigned char* out, const unsigned char* in, std::size_t size);
  void take(unsigned char* out, const unsigned char* in, std::size_t size);
  bool may_prepare();
  bool prepare();
  bool rewind();
  void discard();
  std::size_t prepared() const { return end_ - next_; }

  CipherContext inner_;
  // Unused key stream is batch_[next_, end_); `inner_` stands at its end, at the start of a block.
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::size_t batch_bytes_ = kBatchMinBytes;
  unsigned run_ = 0;             // short calls in succession, counted up to kRunBeforeBatches
  bool at_block_start_ = false;  // known of `inner_`, without asking it
  bool pass_only_ = false;       // never prepare again: somebody may change `inner_` unseen
  std::array<unsigned char, kIvBytes> original_iv_{};  // rewinding changes that of `inner_`
  alignas(16) std::array<unsigned char, kBatchMaxBytes> batch_;  // NOLINT: filled before it is read
};

// The two functions below are all that nearly every call runs through.

inline bool CtrKeyStream::crypt(unsigned char* out, const unsigned char* in, std::size_t size) {
  if (size == 0 || size > prepared() || size > kShortCallBytes) {
    return crypt_beyond_prepared(out, in, size);
  }
  take(out, in, size);
  return true;
}

inline void CtrKeyStream::take(unsigned char* out, const unsigned char* in, std::size_t size) {
  const unsigned char* key = batch_.data() + next_;
  next_ += size;
  std::uint64_t text = 0;
  std::uint64_t mask = 0;
  for (; size >= sizeof(text); size -= sizeof(text)) {
    std::memcpy(&text, in, sizeof(text));
    std::memcpy(&mask, key, sizeof(mask));
    text ^= mask;
    std::memcpy(out, &text, sizeof(text));
    out += sizeof(text);
    in += sizeof(text);
    key += sizeof(text);
  }
  for (; size > 0; --size) *out++ = static_cast<unsigned char>(*in++ ^ *key++);
}

}  // namespace sftpfs::ssh
