// How much the load tests ask for.
//
// Threads: reads the environment.
#pragma once

#include <cstdlib>
#include <string>

namespace sftpfs::test {

inline bool full_load() {
  const char* full = std::getenv("SFTPFS_LOAD_FULL");
  return full != nullptr && std::string(full) == "1";
}
inline int load_size(int in_ci, int in_full) { return full_load() ? in_full : in_ci; }

}  // namespace sftpfs::test
