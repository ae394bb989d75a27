// explain(): finds the errno behind a bare FAILURE by looking at what is there.
//
// A local file system says EEXIST, ENOTEMPTY, ENOSPC or EXDEV where SFTP v3 says only "failure".
// One or two more round trips, on the error path alone, tell which it was.
// Threads: the slot's loop.
#pragma once

#include <string>

#include "fs/errno_map.h"
#include "fs/worker.h"
#include "runtime/task.h"

namespace sftpfs::fs {

// What was tried; `other` is the source of a rename or a link.
struct Situation {
  Situation(Attempt tried, std::string at, std::string from = {})
      : attempt(tried), path(std::move(at)), other(std::move(from)) {}
  Attempt attempt;
  std::string path;
  std::string other;
};

// `error` as a kSystem error with the most exact errno that can be proven.
runtime::Task<Error> explain(SessionSlot& slot, Error error, Situation situation,
                             runtime::Cancel* cancel);

}  // namespace sftpfs::fs
