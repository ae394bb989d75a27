// program_output(): what a short-lived programme writes to its standard output.
//
// Ownership: the programme is ended when the caller's patience is (child.h).
// Threads:   any thread; blocks it.
// Limits:    `bytes_max` of standard output; of standard error the last 4 KiB are kept.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

struct ProgramOutput {
  std::string output;
  std::string errors;
  bool succeeded = false;
};

// An error: it could not be started (its errno), wrote too much or took too long (kTimedOut).
Result<ProgramOutput> program_output(const std::vector<std::string>& argv, std::size_t bytes_max,
                                     const Patience& patience);

}  // namespace sftpfs::ssh
