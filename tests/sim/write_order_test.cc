// Bytes of several descriptors of one file, while their way to the server changes, in simulated
// time: over several connections, or over none for a while.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "fs/file_io.h"
#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

constexpr std::size_t kStripeBytes = 4096;

fs::Options spread_over_lanes() {
  fs::Options options;
  options.block_size_bytes = options.stripe_bytes = kStripeBytes;
  options.cache_size_bytes = 64 * kStripeBytes;
  options.stripe_always = true;
  options.stripe_after_bytes = 2 * kStripeBytes;
  return options;
}

class WriteOrder : public ::testing::Test {
 protected:
  explicit WriteOrder(const fs::Options& options = {}, unsigned sessions = 1)
      : wire_(ServerConfig(), options, sessions) {
    wire_.add_file("/srv/f", "first\n");
    const Result<fs::EntryReply> entry = wire_.run(wire_.fs().lookup(op_, fs::kRootInode, "f"));
    EXPECT_TRUE(entry);
    if (entry) ino_ = entry->ino;
  }

  std::uint64_t open(int flags) {
    const Result<fs::OpenReply> opened = wire_.run(wire_.fs().open(op_, ino_, flags));
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().describe());
    return opened ? opened->handle : 0;
  }
  void write(std::uint64_t handle, std::uint64_t offset, std::string_view text) {
    EXPECT_TRUE(
        wire_.run(wire_.fs().write(op_, handle, offset, SharedBytes::copy_of(as_byte_span(text)))));
  }
  void flush(std::uint64_t handle) { EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle))); }
  void close(std::uint64_t handle) {
    flush(handle);
    EXPECT_TRUE(wire_.run(wire_.fs().release(op_, handle)));
  }
  ModelRef on_server() {
    ModelRef node;
    EXPECT_EQ(wire_.tree().find("/srv/f", false, node), 0);
    return node;
  }

  Stopwatch wire_;
  fs::OperationContext op_;
  std::uint64_t ino_ = 0;
};

TEST_F(WriteOrder, ALineThatWasNeverSentIsAppendedThoughSomebodyElseHasAppendedTheSame) {
  const std::uint64_t log = open(O_RDWR | O_APPEND);
  write(log, 6, "second\n");
  flush(log);
  wire_.reconnect_to(32 << 10);
  wire_.settle();  // here it is known that there is no connection
  write(log, 13, "line\n");
  const ModelRef node = on_server();
  ModelTree::write(*node, node->content.size(), "line\n", wire_.now_s());
  close(log);
  EXPECT_EQ(node->content, "first\nsecond\nline\nline\n");
}

// A stream that is spread over three connections: the first and two lanes.
class TurningToLanes : public WriteOrder {
 protected:
  TurningToLanes() : WriteOrder(spread_over_lanes(), 3) {
    log_ = open(O_WRONLY | O_APPEND);
    stream_ = open(O_RDWR);
    io().home().post([this] { wire_.shared().pool.grow(); });
    while (wire_.connections() < 3) wire_.wait(1);
    wire_.wait(10);
    // Until the lanes are there, and not so far that they are used.
    while (counted(wire_.shared().counters.lanes_opened) == 0 && text_.size() < (1 << 20)) {
      go_on(1);
      wire_.wait(10);
    }
    EXPECT_EQ(counted(wire_.shared().counters.lanes_opened), 2U);
    EXPECT_EQ(counted(wire_.shared().counters.stripings), 0U);
    EXPECT_TRUE(io().clean());
  }

  static std::uint64_t counted(const std::atomic<std::uint64_t>& counter) { return counter.load(); }
  fs::FileIo& io() { return *wire_.shared().inodes.find(ino_)->io(); }

  // So many stripes more of the stream.
  void go_on(std::size_t stripes) {
    for (std::size_t i = 0; i < stripes; ++i) {
      const std::string piece(kStripeBytes,
                              static_cast<char>('a' + text_.size() / kStripeBytes % 26));
      write(stream_, text_.size(), piece);
      text_ += piece;
    }
  }
  // Should the stream be spread, what goes over the lanes takes longer than what does not.
  void until_written() {
    bool slowed = false;
    for (int step = 0; step < 200 && !io().clean(); ++step) {
      wire_.wait_half(1);
      if (slowed || counted(wire_.shared().counters.stripings) == 0) continue;
      slowed = true;
      for (std::size_t lane = 1; lane < wire_.connections(); ++lane) wire_.stall(lane, 20);
    }
    EXPECT_TRUE(io().clean());
  }

  std::uint64_t log_ = 0;  // another descriptor, which appends
  std::uint64_t stream_ = 0;
  std::string text_;
};

TEST_F(TurningToLanes, AStreamIsSpread) {
  go_on(8);
  until_written();
  EXPECT_EQ(counted(wire_.shared().counters.stripings), 1U);
  close(stream_);
  close(log_);
  EXPECT_TRUE(on_server()->content == text_);
}

TEST_F(TurningToLanes, WhatAnotherDescriptorAppendsMeanwhileComesBehindTheStream) {
  go_on(8);
  // The last stripe would go over a lane, so nothing would keep its place.
  while (text_.size() / kStripeBytes % 3 != 2) go_on(1);
  EXPECT_FALSE(io().clean());
  // So much that it is not gathered, but waits in the queue behind the stream.
  const std::string appended(64 << 10, '+');
  write(log_, text_.size(), appended);
  until_written();
  close(log_);
  close(stream_);
  EXPECT_EQ(on_server()->content.size(), text_.size() + appended.size());
  EXPECT_TRUE(on_server()->content == text_ + appended);
}

// As where another worker finds the file resting while this one begins to write it.
TEST_F(TurningToLanes, WhatIsHeldBackIsSentAlsoWhenSomebodyOpensWithoutAsking) {
  go_on(8);
  EXPECT_FALSE(io().clean());
  auto reader = std::make_shared<fs::OpenFile>(io().slot(), sftp::kOpenRead);
  reader->inode = wire_.shared().inodes.find(ino_);
  reader->io = reader->inode->io();
  reader->path = "/srv/f";
  io().home().post([&reader] { reader->io->attach_unopened(reader); });
  until_written();
  reader.reset();
  close(stream_);
  close(log_);
  EXPECT_TRUE(on_server()->content == text_);
}

}  // namespace
}  // namespace sftpfs::sim
