// The provider that OpenSSL sees: AES-128/192/256-CTR by CtrKeyStream, and nothing else.
//
// Ownership: OpenSSL calls ctr_provider_init() when it activates the provider, and its teardown
//            when the last operation is gone; between them the provider owns a library context of
//            its own, out of which the real ciphers come (so that it never fetches itself).
// Threads:   the tables are constant; each operation belongs to its caller.
// Limits:    needs OpenSSL 3.
#pragma once

#include <openssl/core.h>

namespace sftpfs::ssh {

// The name OpenSSL knows the provider by, and the property its algorithms carry.
inline constexpr const char* kCtrProviderName = "sftpfs_ctr";
inline constexpr const char* kCtrProviderProperty = "provider=sftpfs_ctr";

int ctr_provider_init(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in,
                      const OSSL_DISPATCH** out, void** provider_context);

}  // namespace sftpfs::ssh
