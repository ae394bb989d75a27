// Files of awkward sizes: a gigabyte of random data up and down, holes, nothing, one byte, and
// places beyond 4 GiB. SFTPFS_TEST_BIG_MIB makes the gigabyte smaller or larger.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"
#include "integration/pattern.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr std::size_t kChunk = 1U << 20;
constexpr std::uint64_t k4GiB = 1ULL << 32;

class BigFile : public MountedTest {};
INSTANTIATE_ON_ALL_MOUNTS(BigFile);

std::uint64_t big_size_bytes() {
  const char* text = std::getenv("SFTPFS_TEST_BIG_MIB");
  return (text == nullptr ? 1024ULL : std::strtoull(text, nullptr, 10)) << 20;
}

UniqueFd open_file(const std::string& path, int flags) {
  return UniqueFd(must(::open(path.c_str(), flags | O_CLOEXEC, 0644), "open " + path));
}

void write_pattern(const std::string& path, const Pattern& pattern, std::uint64_t size) {
  UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  std::vector<char> chunk(kChunk);
  for (std::uint64_t offset = 0; offset < size;) {
    const std::size_t count = std::min<std::uint64_t>(kChunk, size - offset);
    pattern.fill(offset, {chunk.data(), count});
    ASSERT_EQ(::write(fd.get(), chunk.data(), count), static_cast<ssize_t>(count)) << offset;
    offset += count;
  }
  ASSERT_EQ(::close(fd.release()), 0);
}

// Reads to the end; an empty string when all bytes were right and `size` of them.
std::string compare_pattern(const std::string& path, const Pattern& pattern, std::uint64_t size) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  std::vector<char> chunk(kChunk);
  std::uint64_t offset = 0;
  while (true) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0) return "read at " + std::to_string(offset) + ": " + std::strerror(errno);
    if (count == 0) break;
    const auto got = static_cast<std::size_t>(count);
    if (!pattern.matches(offset, {chunk.data(), got})) {
      return "wrong bytes in " + std::to_string(got) + " read at " + std::to_string(offset);
    }
    offset += got;
  }
  return offset == size ? "" : "ended at " + std::to_string(offset);
}

std::string read_string(const UniqueFd& fd, std::uint64_t offset, std::size_t size) {
  std::string text(size, '\0');
  const ssize_t count = ::pread(fd.get(), text.data(), size, static_cast<off_t>(offset));
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

TEST_P(BigFile, RandomDataGoesUpUnharmed) {
  const Pattern pattern(1);
  write_pattern(mount_->file("up"), pattern, big_size_bytes());
  EXPECT_EQ(compare_pattern(server_.root() + "/up", pattern, big_size_bytes()), "");
}

TEST_P(BigFile, RandomDataComesDownUnharmed) {
  const Pattern pattern(2);
  write_pattern(server_.root() + "/down", pattern, big_size_bytes());
  EXPECT_EQ(compare_pattern(mount_->file("down"), pattern, big_size_bytes()), "");
}

TEST_P(BigFile, HolesAreZeros) {
  {
    const UniqueFd fd = open_file(mount_->file("sparse"), O_WRONLY | O_CREAT);
    for (const off_t offset : {100'000'000, 50'000'001, 7}) {
      ASSERT_EQ(::pwrite(fd.get(), "data", 4, offset), 4);
    }
  }
  for (const std::string& path : {server_.root() + "/sparse", mount_->file("sparse")}) {
    const UniqueFd fd = open_file(path, O_RDONLY);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), 100'000'004);
    EXPECT_EQ(read_string(fd, 5, 8), std::string("\0\0data\0\0", 8));
    EXPECT_EQ(read_string(fd, 49'999'999, 8), std::string("\0\0data\0\0", 8));
    EXPECT_EQ(read_string(fd, 99'999'998, 10), std::string("\0\0data", 6));
    EXPECT_EQ(read_string(fd, 70'000'000, 1000), std::string(1000, '\0'));
  }
}

TEST_P(BigFile, EmptyAndOneByte) {
  write_pattern(mount_->file("empty"), Pattern(3), 0);
  write_pattern(mount_->file("one"), Pattern(4), 1);
  EXPECT_EQ(compare_pattern(server_.root() + "/empty", Pattern(3), 0), "");
  EXPECT_EQ(compare_pattern(server_.root() + "/one", Pattern(4), 1), "");
  mount_again();
  EXPECT_EQ(compare_pattern(mount_->file("empty"), Pattern(3), 0), "");
  EXPECT_EQ(compare_pattern(mount_->file("one"), Pattern(4), 1), "");
}

TEST_P(BigFile, EverySizeAroundThePowersOfTwo) {
  std::uint64_t number = 10;
  for (const std::uint64_t power : {4096U, 32768U, 65536U, 131072U, 261120U, 262144U, 1048576U}) {
    for (const std::uint64_t size : {power - 1, power, power + 1}) {
      const std::string name = "size" + std::to_string(size);
      write_pattern(mount_->file(name), Pattern(++number), size);
      EXPECT_EQ(compare_pattern(server_.root() + "/" + name, Pattern(number), size), "") << size;
    }
  }
  mount_again();
  number = 10;
  for (const std::uint64_t power : {4096U, 32768U, 65536U, 131072U, 261120U, 262144U, 1048576U}) {
    for (const std::uint64_t size : {power - 1, power, power + 1}) {
      const std::string path = mount_->file("size" + std::to_string(size));
      EXPECT_EQ(compare_pattern(path, Pattern(++number), size), "") << size;
    }
  }
}

TEST_P(BigFile, PlacesBeyond4GiB) {
  const std::vector<std::uint64_t> places{k4GiB - 3, 2 * k4GiB + 12345, 5 * k4GiB};
  {
    const UniqueFd fd = open_file(mount_->file("far"), O_RDWR | O_CREAT);
    for (const std::uint64_t place : places) {
      ASSERT_EQ(::pwrite(fd.get(), "beyond", 6, static_cast<off_t>(place)), 6);
    }
    EXPECT_EQ(read_string(fd, k4GiB - 4, 8), std::string("\0beyond\0", 8));
  }
  mount_again();
  for (const std::string& path : {server_.root() + "/far", mount_->file("far")}) {
    const UniqueFd fd = open_file(path, O_RDONLY);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), static_cast<off_t>(5 * k4GiB + 6));
    for (const std::uint64_t place : places) EXPECT_EQ(read_string(fd, place, 6), "beyond");
    EXPECT_EQ(read_string(fd, 12345, 6), std::string(6, '\0'));
  }
}

}  // namespace
}  // namespace sftpfs::test
