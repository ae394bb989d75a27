// See credentials.h.
#include "app/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

Result<UniqueFd> open_password(const Config& config) {
  if (config.password_stdin) return UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const bool named = !config.password_file.empty();
  const std::string path = named ? config.password_file : credential("sftpfs.password");
  if (path.empty()) return UniqueFd();
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat attributes {};
  if (!file || ::fstat(file.get(), &attributes) != 0) {
    return fail(Error::system(errno, "password_file=" + path));
  }
  // systemd's own are protected by their directory.
  if (named && (attributes.st_mode & 077) != 0) {
    return fail(ErrorCode::kInvalid,
                "password_file=" + path + ": others may read it; chmod 600 it");
  }
  return file;
}

}  // namespace sftpfs::app
