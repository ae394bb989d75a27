// Promises about many big files at once, over a line with a distance: they share one cache and one
// budget of unsent bytes, so that the daemon's memory does not grow with their number.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "load/content.h"
#include "load/memory_use.h"
#include "load/sizes.h"
#include "support/relay.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {
namespace {

constexpr int kStreams = 64;  // half are read, half are written
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kMib = std::size_t{1} << 20;

class Streams : public testing::Test {
 protected:
  Streams() : relay_(server_.port(), distance()) {
    for (int i = 0; i < kStreams; i += 2) {
      std::ofstream(server_.root() + "/" + name_of(i), std::ios::binary)
          << bytes_at(i, 0, size_bytes_);
    }
  }
  static std::string name_of(int stream) { return "s" + std::to_string(stream); }

  void run(const TestMount& mount) {
    const auto work = [&](int stream) {
      return stream % 2 == 0 ? read_whole(mount, stream) : write_whole(mount, stream);
    };
    for (const std::string& complaint : run_in_children(kStreams, work, std::chrono::minutes(5))) {
      EXPECT_EQ(complaint, "");
    }
    for (int i = 1; i < kStreams; i += 2) {
      EXPECT_TRUE(holds(server_.root() + "/" + name_of(i), i, size_bytes_)) << name_of(i);
    }
  }
  TestMount mount(const std::string& cache_size) {
    MountOptions options;
    options.port = relay_.port();
    options.extra = {"cache_size=" + cache_size};
    return TestMount(server_, options);
  }

 private:
  static RelayOptions distance() {
    RelayOptions options;
    options.delay_to_server = std::chrono::milliseconds(10);
    options.delay_to_client = std::chrono::milliseconds(10);
    return options;
  }
  std::string read_whole(const TestMount& mount, int stream) const {
    const UniqueFd fd(::open(mount.file(name_of(stream)).c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(kPieceBytes, '\0');
    for (std::size_t at = 0; at < size_bytes_; at += bytes.size()) {
      const ssize_t size = ::pread(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (size < 0) return std::string("read: ") + std::strerror(errno);
      if (size != static_cast<ssize_t>(bytes.size())) return "short read";
      if (bytes != bytes_at(stream, at, bytes.size()))
        return "wrong bytes at " + std::to_string(at);
    }
    return "";
  }
  std::string write_whole(const TestMount& mount, int stream) const {
    const std::string path = mount.file(name_of(stream));
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    for (std::size_t at = 0; at < size_bytes_; at += kPieceBytes) {
      const std::string bytes = bytes_at(stream, at, kPieceBytes);
      const ssize_t size = ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (size != static_cast<ssize_t>(bytes.size())) {
        return std::string("write: ") + std::strerror(errno);
      }
    }
    return ::close(fd.release()) == 0 ? "" : std::string("close: ") + std::strerror(errno);
  }

  const std::size_t size_bytes_ = static_cast<std::size_t>(load_size(4, 64)) * kMib;
  const TestServer server_;
  const Relay relay_;
};

TEST_F(Streams, SixtyFourTakeNoMoreMemoryThanTheCacheAndSixtyFourMebibytes) {
  const TestMount mounted = mount("64M");
  run(mounted);
  expect_memory(mounted, 64 * kMib + 64 * kMib);
}

TEST_F(Streams, InEightSlotsAllBytesAreRightAndTheCacheSaysThatItIsBusy) {
  const TestMount mounted = mount("1M");
  run(mounted);
  expect_memory(mounted, 1 * kMib + 64 * kMib);
  const auto busy = mounted.counter("cache_busy");
  ASSERT_TRUE(busy) << mounted.log();
  EXPECT_GT(*busy, 0U);
}

}  // namespace
}  // namespace sftpfs::test
