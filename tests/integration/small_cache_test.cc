// A block cache of four slots under sixteen readers: every slot is taken most of the time, which
// the cache's busy counter shows, and no reader ever sees anything but the right bytes.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"
#include "integration/pattern.h"
#include "support/relay.h"

namespace sftpfs::test {
namespace {

constexpr int kReaders = 16;
constexpr std::size_t kFileSize = 6U << 20;

class SmallCache : public testing::TestWithParam<MountConfig> {
 protected:
  void SetUp() override {
    std::vector<char> bytes(kFileSize);
    for (int i = 0; i < kReaders; ++i) {
      Pattern(static_cast<std::uint64_t>(i)).fill(0, bytes);
      std::ofstream(server_.root() + "/" + std::to_string(i), std::ios::binary)
          .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
  }
  TestServer server_;
};
INSTANTIATE_ON_ALL_MOUNTS(SmallCache);

std::string read_at(const UniqueFd& fd, const Pattern& pattern, std::uint64_t offset,
                    std::size_t size) {
  std::vector<char> bytes(size);
  const ssize_t count = ::pread(fd.get(), bytes.data(), size, static_cast<off_t>(offset));
  if (count < 0) return std::string("read: ") + std::strerror(errno);
  const std::size_t expected = std::min<std::uint64_t>(size, kFileSize - offset);
  if (static_cast<std::size_t>(count) != expected) return "short read";
  const bool right = pattern.matches(offset, {bytes.data(), expected});
  return right ? "" : "wrong bytes at " + std::to_string(offset);
}

// Half of the readers go through their file in order, half jump; all also read file 0.
std::string reader(const TestMount& mount, int number) {
  const UniqueFd own(::open(mount.file(std::to_string(number)).c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd common(::open(mount.file("0").c_str(), O_RDONLY | O_CLOEXEC));
  const Pattern own_pattern(static_cast<std::uint64_t>(number));
  std::mt19937_64 random(static_cast<std::uint64_t>(number));
  std::string complaint;
  for (std::uint64_t offset = 0; offset < kFileSize && complaint.empty(); offset += 200'000) {
    const std::uint64_t place = number % 2 == 0 ? offset : random() % kFileSize;
    complaint = read_at(own, own_pattern, place, 200'000);
    if (complaint.empty()) complaint = read_at(common, Pattern(0), random() % kFileSize, 5000);
  }
  return complaint;
}

TEST_P(SmallCache, SixteenReadersSeeOnlyRightBytes) {
  // A distance makes loading a block take long enough for the others to find the cache full.
  RelayOptions distance;
  distance.delay_to_server = std::chrono::milliseconds(2);
  distance.delay_to_client = std::chrono::milliseconds(2);
  const Relay relay(server_.port(), distance);
  MountOptions options;
  options.config = GetParam();
  options.port = relay.port();
  options.extra = {"cache_size=512K"};  // four slots of 128 KiB
  const TestMount mount(server_, options);
  const auto work = [&](int number) { return reader(mount, number); };
  for (const std::string& complaint : run_in_children(kReaders, work)) EXPECT_EQ(complaint, "");
  const auto busy = mount.counter("cache_busy");
  ASSERT_TRUE(busy) << "no statistics in the log:\n" << mount.log();
  EXPECT_GT(*busy, 0U);
}

}  // namespace
}  // namespace sftpfs::test
