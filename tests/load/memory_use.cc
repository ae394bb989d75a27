// See memory_use.h.
#include "load/memory_use.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/process_table.h"

namespace sftpfs::test {

std::size_t memory_bytes_max(const MemoryUse& use) {
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

void expect_memory(const TestMount& mount, std::size_t bytes_max) {
  const long peak_kib = peak_memory_kib(mount.daemon_pid());
  const long allowed_kib = static_cast<long>(bytes_max / 1024);
  testing::Test::RecordProperty("peak_kib", static_cast<int>(peak_kib));
  std::printf("[ memory   ] %ld KiB at most, %ld KiB allowed\n", peak_kib, allowed_kib);
  EXPECT_GT(peak_kib, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(peak_kib, allowed_kib);
#endif
}

}  // namespace sftpfs::test
