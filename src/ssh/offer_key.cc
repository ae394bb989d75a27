// See offer_key.h.
#include "ssh/offer_key.h"

#include <cstring>

#include "ssh/wire.h"

namespace sftpfs::ssh {
namespace {

// What the signing callback needs, and what became of it.
struct Signing {
  Libssh2Session& session;
  Identity& identity;
  bool done = false;
  std::optional<Error> error;
};

// The algorithm that the request to be signed names (RFC 4252 section 7).
std::string_view algorithm_in_request(std::string_view request) {
  WireReader reader(request);
  reader.str();  // session identifier
  reader.u8();   // SSH_MSG_USERAUTH_REQUEST
  reader.str();  // user
  reader.str();  // service
  reader.str();  // "publickey"
  reader.u8();   // TRUE
  return reader.str();
}

int sign_request(LIBSSH2_SESSION* /*session*/, unsigned char** signature, std::size_t* size,
                 const unsigned char* data, std::size_t data_size, void** abstract) {
  auto& signing = *static_cast<Signing*>(*abstract);
  const std::string_view request(reinterpret_cast<const char*>(data), data_size);
  Result<std::string> made = signing.identity.sign(algorithm_in_request(request), request);
  if (!made) {
    signing.error = made.error();
    return -1;
  }
  *signature = static_cast<unsigned char*>(signing.session.memory().allocate(made->size()));
  if (*signature == nullptr) return -1;
  std::memcpy(*signature, made->data(), made->size());
  *size = made->size();
  signing.done = true;
  return 0;
}

// libssh2 takes the algorithm from the name in front of the key, and servers know a key by what
// follows; so an RSA key that calls itself rsa-sha2-512 is signed for with SHA-2, also by libssh2
// 1.10, which itself knows only SHA-1.
std::string blob_as(const std::string& blob, std::string_view algorithm) {
  WireReader reader(blob);
  reader.str();
  return WireWriter().str(algorithm).take() + std::string(reader.rest());
}

}  // namespace

Result<KeyOffer> offer_key(Libssh2Session& session, const LoginContext& context, Identity& identity,
                           const std::string& blob, std::string_view algorithm) {
  const std::string offered = blob_as(blob, algorithm);
  Signing signing{session, identity, false, {}};
  void* abstract = &signing;
  Result<long> rc = session.drive(context.patience, [&] {
    return long{libssh2_userauth_publickey(session.raw(), context.target.user.c_str(),
                                           reinterpret_cast<const unsigned char*>(offered.data()),
                                           offered.size(), &sign_request, &abstract)};
  });
  if (!rc) return fail(rc.error());
  if (*rc == 0) return KeyOffer{KeyOffer::Answer::kLoggedIn, {}};
  if (signing.error) return KeyOffer{KeyOffer::Answer::kUnsigned, signing.error};
  if (signing.done) return KeyOffer{KeyOffer::Answer::kProven, {}};
  if (*rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED) return fail(session.failure(*rc));
  return KeyOffer{KeyOffer::Answer::kRefused, {}};
}

}  // namespace sftpfs::ssh
