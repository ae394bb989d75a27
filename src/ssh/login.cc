// See login.h.
#include "ssh/login.h"

#include <utility>

namespace sftpfs::ssh {

void Login::pin_host_key(const std::string& blob, HostKeyTrust trust) {
  pinned_host_key_ = blob;
  trust_ = trust;
}

const PrivateKey* Login::find_key(const std::string& path) const {
  const auto found = keys_.find(path);
  return found == keys_.end() ? nullptr : &found->second;
}

const PrivateKey& Login::keep_key(const std::string& path, PrivateKey key) {
  return keys_.insert_or_assign(path, std::move(key)).first->second;
}

}  // namespace sftpfs::ssh
