// How much the load tests ask for, and what it may cost.
//
// Threads: pure, but for reading the environment.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string>

namespace sftpfs::test {

inline bool full_load() {
  const char* full = std::getenv("SFTPFS_LOAD_FULL");
  return full != nullptr && std::string(full) == "1";
}
inline int load_size(int in_ci, int in_full) { return full_load() ? in_full : in_ci; }

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
inline std::size_t memory_bytes_max(const MemoryUse& use) {
  constexpr std::size_t kProgramme = std::size_t{24} << 20;
  constexpr std::size_t kListings = std::size_t{16} << 20;
  constexpr std::size_t kSession = std::size_t{8} << 20;
  constexpr std::size_t kInode = 1024;
  constexpr std::size_t kOpenFile = 4096;
  constexpr std::size_t kListedName = 200;
  return kProgramme + kListings + use.cache_bytes + use.dirty_bytes + use.sessions * kSession +
         use.inodes * (kInode + use.name_bytes) + use.open_files * kOpenFile +
         use.listed_names * (kListedName + use.name_bytes);
}

}  // namespace sftpfs::test
