// Promises of Slab: aligned, lazily backed, returned.
#include "cache/slab.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

namespace sftpfs::cache {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t resident_pages(std::byte* address, std::size_t size_bytes) {
  std::vector<unsigned char> resident(size_bytes / page_bytes());
  EXPECT_EQ(::mincore(address, size_bytes, resident.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(resident.begin(), resident.end(), [](unsigned char page) { return page & 1; }));
}

TEST(Slab, BeginsEveryBufferOnAPage) {
  const Result<Slab> slab = Slab::map(5000, 3);
  ASSERT_TRUE(slab);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab->buffer(i)) % page_bytes(), 0U);
    std::memset(slab->buffer(i), 'a' + static_cast<int>(i), 5000);
  }
  EXPECT_EQ(slab->buffer(0)[4999], std::byte{'a'});
  EXPECT_EQ(slab->buffer(1)[0], std::byte{'b'});
}

TEST(Slab, TakesNoMemoryUntilItIsTouched) {
  const std::size_t size_bytes = std::size_t{128} << 20;
  const Result<Slab> slab = Slab::map(size_bytes / 64, 64);
  ASSERT_TRUE(slab);
  EXPECT_EQ(resident_pages(slab->buffer(0), size_bytes), 0U);
  *slab->buffer(3) = std::byte{1};
  // One page, or one huge page where the machine prefers those.
  EXPECT_GE(resident_pages(slab->buffer(0), size_bytes), 1U);
  EXPECT_LE(resident_pages(slab->buffer(0), size_bytes), (std::size_t{2} << 20) / page_bytes());
}

TEST(Slab, ReturnsItsMemoryOnceEvenWhenMoved) {
  std::byte* address = nullptr;
  {
    Result<Slab> slab = Slab::map(page_bytes(), 8);
    ASSERT_TRUE(slab);
    const Slab moved = std::move(*slab);
    address = moved.buffer(0);
    *address = std::byte{1};
  }
  unsigned char resident = 0;
  EXPECT_EQ(::mincore(address, page_bytes(), &resident), -1);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(Slab, OfNoBuffersIsValid) { EXPECT_TRUE(Slab::map(4096, 0)); }

TEST(Slab, RefusesASizeThatOverflows) {
  const Result<Slab> slab = Slab::map(SIZE_MAX / 2, 4);
  ASSERT_FALSE(slab);
  EXPECT_TRUE(slab.error().is(ErrorCode::kInvalid));
  EXPECT_FALSE(Slab::map(SIZE_MAX, 1));
}

TEST(Slab, ReportsWhatTheKernelRefuses) {
  const Result<Slab> slab = Slab::map(std::size_t{1} << 48, 8);
  ASSERT_FALSE(slab);
  EXPECT_TRUE(slab.error().is(ErrorCode::kSystem));
  EXPECT_EQ(slab.error().os_errno(), ENOMEM);
}

}  // namespace
}  // namespace sftpfs::cache
