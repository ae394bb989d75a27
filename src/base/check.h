// SFTPFS_CHECK: an invariant of the programme itself. Always on; a broken one ends the process
// with file and line, because a file system that goes on after it may write wrong bytes.
// Never for anything a user, a file or a server can cause.
#pragma once

namespace sftpfs {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define SFTPFS_CHECK(condition)                        \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::sftpfs::check_failed(#condition, __FILE__, __LINE__))
