// What the errno tables share: system calls that keep nothing, and why an errno may differ.
//
// Threads: plain functions.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

namespace sftpfs::test {

// What the kernel, which looks at the names first, tells before the server is asked.
inline constexpr const char* kSeveral =
    "where several reasons forbid an operation, another of them may be told";

inline constexpr const char* kOneWord =
    "EPERM is EACCES, except for chmod, chown and utimensat: SFTP has one word for both";

// An open(2) that is not kept.
inline long try_open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  ::close(fd);
  return 0;
}

inline long try_rename(const std::string& from, const std::string& to, unsigned flags = 0) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

inline long try_utimens(const std::string& path, int flags = 0) {
  constexpr std::array<timespec, 2> kTimes{{{1000, 0}, {2000, 0}}};
  return ::utimensat(AT_FDCWD, path.c_str(), kTimes.data(), flags);
}

}  // namespace sftpfs::test
