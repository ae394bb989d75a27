// What open(2)'s flags mean for the server and for a descriptor. Any thread; pure functions.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>

#include "fs/open_file.h"
#include "sftp/types.h"

namespace sftpfs::fs {

inline std::uint32_t access_flags(int flags) {
  const int mode = flags & O_ACCMODE;
  std::uint32_t out = 0;
  if (mode == O_RDONLY || mode == O_RDWR) out |= sftp::kOpenRead;
  if (mode == O_WRONLY || mode == O_RDWR) out |= sftp::kOpenWrite;
  if ((flags & O_APPEND) != 0 && mode != O_RDONLY) out |= sftp::kOpenAppend;
  return out;
}

inline void describe_access(OpenFile& file, int flags) {
  const int mode = flags & O_ACCMODE;
  file.readable = mode != O_WRONLY;
  file.writable = mode != O_RDONLY;
  file.append = (flags & O_APPEND) != 0;
}

inline bool is_of_type(const sftp::Attrs& attrs, std::uint32_t type) {
  return !attrs.has(sftp::kAttrPermissions) || (attrs.permissions & S_IFMT) == type;
}

}  // namespace sftpfs::fs
