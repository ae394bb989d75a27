// What a mount may take of memory, and whether one has kept to that.
//
// Threads: any.
#pragma once

#include <cstddef>

#include "support/test_mount.h"

namespace sftpfs::test {

struct MemoryUse {
  std::size_t cache_bytes = std::size_t{64} << 20;  // cache_size
  std::size_t dirty_bytes = std::size_t{16} << 20;  // max_dirty
  std::size_t sessions = 4;
  std::size_t inodes = 0;  // names that the kernel knows
  std::size_t open_files = 0;
  std::size_t listed_names = 0;  // of the directories that are open
  std::size_t name_bytes = 16;   // of each
};

// The formula of docs/SEMANTICS.md, "Memory".
std::size_t memory_bytes_max(const MemoryUse& use);

// Prints the daemon's peak, and fails the test if it is above `bytes_max`; sanitizers' builds take
// more and are not judged.
void expect_memory(const TestMount& mount, std::size_t bytes_max);

}  // namespace sftpfs::test
