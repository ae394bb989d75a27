// Promises about want: a cache of one slot, connections that are refused, little memory, offsets at
// the end of the world. It slows down, and no byte is wrong.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "load/content.h"
#include "load/memory_limit.h"
#include "load/sizes.h"
#include "support/process_table.h"
#include "support/relay.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {
namespace {

constexpr std::size_t kFileBytes = 4 << 20;

void make_files(const TestServer& server, int count) {
  for (int i = 0; i < count; ++i) {
    std::ofstream(server.root() + "/" + std::to_string(i), std::ios::binary)
        << bytes_at(i, 0, kFileBytes);
  }
}

std::string read_at_random(const TestMount& mount, int file, int times) {
  const UniqueFd fd(::open(mount.file(std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC));
  std::mt19937 random(static_cast<unsigned>(file));
  for (int i = 0; i < times; ++i) {
    // Half in order, so that there is readahead, half anywhere.
    const std::size_t step = static_cast<std::size_t>(i) * 100'000;
    const std::size_t offset = (i % 2 == 0 ? step : random()) % (kFileBytes - 100'000);
    std::string bytes(100'000, '\0');
    const ssize_t size = ::pread(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (size != static_cast<ssize_t>(bytes.size())) return "read: " + std::string(strerror(errno));
    if (bytes != bytes_at(file, offset, bytes.size())) return "wrong bytes";
  }
  return "";
}

std::string write_whole(const TestMount& mount, int file) {
  const std::string path = mount.file("w" + std::to_string(file));
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const std::string bytes = bytes_at(file, 0, kFileBytes);
  for (std::size_t offset = 0; offset < kFileBytes; offset += 65'536) {
    if (::pwrite(fd.get(), bytes.data() + offset, 65'536, static_cast<off_t>(offset)) != 65'536) {
      return "write: " + std::string(strerror(errno));
    }
  }
  return ::close(fd.release()) == 0 ? "" : "close: " + std::string(strerror(errno));
}

// Everybody reads one file and writes another.
void read_and_write(const TestServer& server, const TestMount& mount, int count) {
  const auto work = [&](int number) {
    const std::string wrong = read_at_random(mount, number, 30);
    return wrong.empty() ? write_whole(mount, number) : wrong;
  };
  for (const std::string& complaint : run_in_children(count, work)) EXPECT_EQ(complaint, "");
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(holds(server.root() + "/w" + std::to_string(i), i, kFileBytes)) << "file " << i;
  }
}

TEST(Want, OneSlotIsACache) {
  const int count = load_size(8, 32);
  const TestServer server;
  make_files(server, count);
  MountOptions options;
  options.extra = {"cache_size=128K"};
  const TestMount mount(server, options);
  read_and_write(server, mount, count);
  const auto busy = mount.counter("cache_busy");
  ASSERT_TRUE(busy) << mount.log();
  EXPECT_GT(*busy, 0U);
}

TEST(Want, OneConnectionDoesWhereOthersAreRefused) {
  const int count = load_size(8, 32);
  const TestServer server;
  make_files(server, count);
  Relay relay(server.port());
  MountOptions options;
  options.port = relay.port();
  options.config.max_conns = 4;
  const TestMount mount(server, options);
  relay.refuse();
  read_and_write(server, mount, count);
  relay.heal();
  read_and_write(server, mount, count);
}

TEST(Want, LittleMemoryIsEnough) {
  constexpr std::size_t kLimit = std::size_t{96} << 20;
  const int count = load_size(8, 32);
  const TestServer server;
  make_files(server, count);
  // Where the machine has no such groups, what the daemon took is looked at instead. The group
  // outlives the mount, because only an empty one can go.
  const auto limit = MemoryLimit::make(kLimit);
  MountOptions options;
  options.extra = {"cache_size=16M"};
  const TestMount mount(server, options);
  if (limit) {
    ASSERT_TRUE(limit->add(mount.daemon_pid()));
  }
  read_and_write(server, mount, count);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(peak_memory_kib(mount.daemon_pid()), static_cast<long>(kLimit / 1024));
#endif
}

TEST(Want, OffsetsReachAsFarAsTheServersDisk) {
  constexpr off_t kFar = off_t{64} << 40;
  const TestServer server;
  const TestMount mount(server);
  for (const off_t offset : {off_t{1} << 32, off_t{1} << 40, off_t{8} << 40, kFar - 4096}) {
    const std::string name = "sparse" + std::to_string(offset);
    const std::string beside = server.file(name);  // on the same disk, without us
    const UniqueFd local(::open(beside.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    const UniqueFd fd(::open(mount.file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_TRUE(local && fd);
    const bool possible = ::pwrite(local.get(), "end", 3, offset) == 3;
    const bool written = ::pwrite(fd.get(), "end", 3, offset) == 3 && ::fsync(fd.get()) == 0;
    EXPECT_EQ(written, possible) << offset;
    if (!possible || !written) continue;
    struct stat attributes {};
    ASSERT_EQ(::fstat(fd.get(), &attributes), 0);
    EXPECT_EQ(attributes.st_size, offset + 3);
    char bytes[6] = {};
    EXPECT_EQ(::pread(fd.get(), bytes, 6, offset - 3), 6);
    EXPECT_EQ(std::string(bytes, 6), std::string("\0\0\0end", 6));
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), offset + 3);
  }
}

}  // namespace
}  // namespace sftpfs::test
