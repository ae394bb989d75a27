// See rendezvous.h.
#include "ctl/rendezvous.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace sftpfs::ctl {
namespace {

constexpr const char* kSystemDirectory = "/run/sftpfs";
constexpr std::string_view kEnding = ".sock";

// A directory that somebody else may write to is no place for a socket that commands a mount.
Status own_directory(const std::string& path, mode_t mode, const Owner& owner) {
  if (::mkdir(path.c_str(), mode) == 0) {
    // umask may have taken bits, and root may be making it for another.
    if (::lchown(path.c_str(), owner.uid, owner.gid) != 0 || ::chmod(path.c_str(), mode) != 0) {
      return fail(Error::system(errno, path));
    }
    return {};
  }
  if (errno != EEXIST) return fail(Error::system(errno, path));
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail(Error::system(errno, path));
  const bool good = S_ISDIR(status.st_mode) && status.st_uid == owner.uid &&
                    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!good) return fail(ErrorCode::kInvalid, path + " can be written by others");
  return {};
}

std::string user_runtime_directory(uid_t uid) { return fmt::format("/run/user/{}", uid); }

std::string own_runtime_directory() {
  const char* given = std::getenv("XDG_RUNTIME_DIR");
  if (given != nullptr && given[0] == '/') return given;
  return user_runtime_directory(::geteuid());
}

std::string handed_over(uid_t uid) { return fmt::format("{}/{}", kSystemDirectory, uid); }

bool is_mine(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid();
}

// The subdirectories of `path` that are named by a number.
std::vector<std::string> numbered_below(const std::string& path) {
  std::vector<std::string> found;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(path, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) found.push_back(at->path());
  }
  return found;
}

}  // namespace

Status prepare_system_directory(const std::optional<Owner>& daemon) {
  const Status made = own_directory(kSystemDirectory, 0755, Owner{});
  if (!made || !daemon) return made;
  return own_directory(handed_over(daemon->uid), 0700, *daemon);
}

Result<std::string> server_directory() {
  const Owner self{::geteuid(), ::getegid()};
  std::string directory = kSystemDirectory;
  if (self.uid != 0) {
    directory = handed_over(self.uid);
    if (!is_mine(directory)) directory = own_runtime_directory() + "/sftpfs";
  }
  const Status usable = own_directory(directory, self.uid == 0 ? 0755 : 0700, self);
  if (!usable) return fail(usable.error());
  return directory;
}

void leave_server_directory(const std::string& directory) {
  if (directory.ends_with("/sftpfs") && directory != kSystemDirectory) ::rmdir(directory.c_str());
}

std::vector<std::string> directories_of(uid_t uid) {
  if (uid == 0) return {kSystemDirectory};
  return {handed_over(uid), user_runtime_directory(uid) + "/sftpfs"};
}

std::vector<std::string> client_directories() {
  std::vector<std::string> directories = {kSystemDirectory, own_runtime_directory() + "/sftpfs"};
  const auto add = [&directories](std::string path) {
    if (std::find(directories.begin(), directories.end(), path) == directories.end()) {
      directories.push_back(std::move(path));
    }
  };
  for (const std::string& path : numbered_below(kSystemDirectory)) add(path);
  if (::geteuid() == 0) {
    for (const std::string& path : numbered_below("/run/user")) add(path + "/sftpfs");
  }
  return directories;
}

std::string socket_name(std::string_view device) {
  std::string name(device);
  std::replace(name.begin(), name.end(), ':', '-');
  return name.append(kEnding);
}

std::vector<std::string> find_sockets(const std::vector<std::string>& directories) {
  std::vector<std::string> sockets;
  for (const std::string& directory : directories) {
    std::error_code failure;
    for (std::filesystem::directory_iterator at(directory, failure), end; !failure && at != end;
         at.increment(failure)) {
      if (at->path().extension() == kEnding) sockets.push_back(at->path().string());
    }
  }
  std::sort(sockets.begin(), sockets.end());
  return sockets;
}

}  // namespace sftpfs::ctl
