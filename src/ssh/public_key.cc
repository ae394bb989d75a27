// See public_key.h.
#include "ssh/public_key.h"

#include <openssl/sha.h>

#include <array>

#include "ssh/base64.h"
#include "ssh/wire.h"

namespace sftpfs::ssh {

std::string key_type(std::string_view blob) {
  WireReader reader(blob);
  return std::string(reader.str());
}

std::string key_type_label(std::string_view type) {
  if (type == "ssh-ed25519") return "ED25519";
  if (type == "ssh-rsa") return "RSA";
  if (type == "ssh-dss") return "DSA";
  if (type.starts_with("ecdsa-sha2-nistp")) return "ECDSA";
  return std::string(type);
}

std::string fingerprint(std::string_view blob) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(blob.data()), blob.size(), digest.data());
  std::string text = base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

std::string describe_key(std::string_view blob) {
  return key_type_label(key_type(blob)) + " " + fingerprint(blob);
}

}  // namespace sftpfs::ssh
