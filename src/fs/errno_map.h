// The one place where an Error becomes an errno for an application.
//
// SFTP v3 has nine status codes for some hundred errnos; most failures arrive as FAILURE. What it
// means depends on what was tried, so each operation names itself.
// Threads: pure functions.
#pragma once

#include "base/error.h"

namespace sftpfs::fs {

enum class Attempt {
  kLookup,  // stat and friends on a path
  kOpen,    // opening an existing file or a directory
  kOpenToWrite,
  kCreate,     // making a file, directory, link
  kRead,       // reading by handle
  kWrite,      // writing by handle
  kChange,     // chmod, chown, utimens, truncate: EPERM rather than EACCES
  kRemove,     // unlink
  kRemoveDir,  // rmdir
  kRename,
  kReadLink,
  kStatFs,
  kCopy,  // copy-data
};

// Positive errno. Never 0.
int to_errno(const Error& error, Attempt attempt);

}  // namespace sftpfs::fs
