// Fuzzes private keys in OpenSSH's format, and the blobs of public ones.
#include <string>
#include <string_view>

#include "fuzz/fuzz_input.h"
#include "ssh/openssh_key.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

void fuzz_private_key(fuzz::FuzzInput input) {
  const std::string_view text = input.rest();
  (void)describe_key(text);
  if (!OpenSshKey::recognises(text)) return;
  const Result<OpenSshKey> key = OpenSshKey::parse(text);
  if (!key) {
    fuzz::require(fuzz::is_one_line(key.error().message()));
    return;
  }
  (void)describe_key(key->public_blob());
  // Encrypted keys cost what their file says, up to seconds: that is their purpose.
  if (key->encrypted()) return;
  const Result<PrivateKey> plain = key->decrypt(Secret());
  if (plain) (void)plain->sign(key_type(plain->public_blob()), "data");
}

}  // namespace
}  // namespace sftpfs::ssh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::ssh::fuzz_private_key({data, size});
  return 0;
}
