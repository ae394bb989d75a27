// CtrAcceleration: makes AES-CTR cheap for a caller that asks for 16 bytes at a time, as libssh2
// does, by an OpenSSL provider of our own (ctr_dispatch.h). Nothing else in the process changes:
// every other algorithm still comes out of OpenSSL's default provider, and so does the key stream.
//
// Ownership: the provider is in use as long as the object exists. Operations that began before its
//            end may go on after it; OpenSSL keeps what they need.
// Threads:   install and destroy while no other thread uses OpenSSL (the search order of the whole
//            process changes); between them any number of threads.
// Limits:    OpenSSL 3. One at a time. Not where the machine's OpenSSL is configured in a way that
//            would be overruled: FIPS, default properties, AES out of another provider.
#pragma once

#include <memory>

#include "base/error.h"

struct ossl_core_handle_st;
struct ossl_dispatch_st;
struct ossl_provider_st;

namespace sftpfs::ssh {

class CtrAcceleration {
 public:
  // After an error nothing has changed, and all works as before, only slower; the message says why.
  static Result<std::unique_ptr<CtrAcceleration>> install();
  // The same with a provider of the caller's, so that tests can offer one that is wrong.
  using ProviderInit = int(const ossl_core_handle_st*, const ossl_dispatch_st*,
                           const ossl_dispatch_st**, void**);
  static Result<std::unique_ptr<CtrAcceleration>> install_as(const char* name, ProviderInit* init);
  ~CtrAcceleration();
  CtrAcceleration(const CtrAcceleration&) = delete;
  CtrAcceleration& operator=(const CtrAcceleration&) = delete;

 private:
  explicit CtrAcceleration(ossl_provider_st* provider) : provider_(provider) {}

  [[maybe_unused]] ossl_provider_st* provider_;
  [[maybe_unused]] bool preferred_ = false;
};

}  // namespace sftpfs::ssh
