// How many requests operations put on the wire: counts, never times.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

constexpr std::size_t kPage = 4096;

ServerConfig like_openssh() {
  ServerConfig config;
  config.transfer_bytes_max = 255 << 10;
  return config;
}

class WireCounts : public ::testing::Test {
 protected:
  std::uint64_t look(const std::string& name) {
    const Result<fs::EntryReply> entry = wire_.run(wire_.fs().lookup(op_, fs::kRootInode, name));
    EXPECT_TRUE(entry);
    return entry ? entry->ino : 0;
  }
  std::uint64_t open(std::uint64_t inode, int flags) {
    const Result<fs::OpenReply> open = wire_.run(wire_.fs().open(op_, inode, flags));
    EXPECT_TRUE(open);
    return open ? open->handle : 0;
  }
  std::size_t read(std::uint64_t handle, std::uint64_t offset, std::size_t size_bytes) {
    const Result<fs::ReadReply> read = wire_.run(wire_.fs().read(op_, handle, offset, size_bytes));
    EXPECT_TRUE(read);
    return read ? read->size_bytes : 0;
  }
  void release(std::uint64_t handle) {
    EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle)));
    EXPECT_TRUE(wire_.run(wire_.fs().release(op_, handle)));
  }
  std::uint64_t received() {
    return wire_.shared().pool.first_slot().session().current()->stats().bytes_received;
  }

  Stopwatch wire_{like_openssh()};
  fs::OperationContext op_;
};

TEST_F(WireCounts, AppendsTravelAtLeastTwentyInOneWrite) {
  constexpr int kAppends = 64;
  const Result<fs::CreateReply> made =
      wire_.run(wire_.fs().create(op_, fs::kRootInode, "log", 0644, O_WRONLY | O_CREAT | O_APPEND));
  ASSERT_TRUE(made);
  const std::uint64_t before = wire_.shared().counters.writes_sent;
  auto page = std::make_shared<std::byte[]>(kPage);
  for (int i = 0; i < kAppends; ++i) {
    const SharedBytes data(page, ByteSpan(page.get(), kPage));
    ASSERT_TRUE(wire_.run(wire_.fs().write(op_, made->open.handle, i * kPage, data)));
  }
  release(made->open.handle);
  EXPECT_LE(wire_.shared().counters.writes_sent - before, kAppends / 20);
}

TEST_F(WireCounts, AnUnchangedFileReadAgainIsNotAskedForAgain) {
  wire_.add_file("/srv/file", std::string(500'000, 'x'));
  wire_.wait(1000);  // a file that changed just now is not trusted
  const std::uint64_t inode = look("file");
  for (int round = 0; round < 2; ++round) {
    const std::uint64_t handle = open(inode, O_RDONLY);
    const std::uint64_t before = received();
    for (std::uint64_t at = 0; at < 500'000; at += 100'000) {
      EXPECT_EQ(read(handle, at, 100'000), 100'000U);
    }
    wire_.wait(2);
    if (round == 1) {
      EXPECT_EQ(received(), before) << "READs of a warm file";
    }
    release(handle);
  }
}

TEST_F(WireCounts, RandomPagesBringLittleMoreThanThemselves) {
  constexpr std::size_t kFile = 4 << 20;
  wire_.add_file("/srv/file", std::string(kFile, 'x'));
  const std::uint64_t handle = open(look("file"), O_RDONLY);
  std::mt19937_64 random(5);
  const std::uint64_t before = received();
  constexpr std::size_t kReads = 200;
  for (std::size_t i = 0; i < kReads; ++i) {
    EXPECT_EQ(read(handle, random() % (kFile / kPage) * kPage, kPage), kPage);
  }
  wire_.wait(2);
  EXPECT_LE(received() - before, kReads * kPage * 3 / 2);
  release(handle);
}

}  // namespace
}  // namespace sftpfs::sim
