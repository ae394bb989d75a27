// See credentials.h.
#include "app/credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace sftpfs::app {
namespace {

// Empty: there is no such credential.
std::string credential(const char* name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || directory[0] != '/') return {};
  std::string path = std::string(directory) + "/" + name;
  return ::access(path.c_str(), R_OK) == 0 ? path : std::string();
}

}  // namespace

void apply_credentials(Config& config) {
  std::string key = credential("sftpfs.key");
  if (!key.empty() && config.identity_files.empty()) {
    config.identity_files.push_back(std::move(key));
  }
  std::string hosts = credential("sftpfs.known_hosts");
  if (!hosts.empty() && !config.user_known_hosts_file) {
    config.user_known_hosts_file = std::move(hosts);
  }
}

UniqueFd open_password_credential() {
  const std::string path = credential("sftpfs.password");
  return path.empty() ? UniqueFd() : UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace sftpfs::app
