// Whether an AES-CTR is AES-CTR: known answers, and byte for byte what OpenSSL's own one answers.
//
// Threads: a function without state.
// Limits:  a millisecond.
#pragma once

#include <openssl/types.h>

#include "base/error.h"

namespace sftpfs::ssh {

// Tests the three key sizes that `library` (null: the process's) finds with `candidate`, a property
// query, against those of "provider=default".
Status ctr_self_test(OSSL_LIB_CTX* library, const char* candidate);

}  // namespace sftpfs::ssh
