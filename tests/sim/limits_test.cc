// What was begun under one server's limits and ends under another's, in simulated time.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/random.h"
#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

class LimitsAfterReconnection : public ::testing::Test {
 protected:
  // Small writes one behind the other: the first is sent, the others are gathered.
  void write_some(std::size_t bytes) {
    constexpr std::size_t kPiece = 1000;
    for (const std::size_t end = text_.size() + bytes; text_.size() < end;) {
      std::string piece(kPiece, '\0');
      random_.fill(piece);
      const auto done = wire_.run(wire_.fs().write(
          op_, handle_, text_.size(), SharedBytes::copy_of(as_byte_span(std::string_view(piece)))));
      ASSERT_TRUE(done);
      text_ += piece;
    }
  }
  void write_through_a_reconnection(std::size_t before_bytes, std::size_t after_bytes) {
    wire_.reconnect_to(before_bytes);
    wire_.wait(1000);
    const auto made =
        wire_.run(wire_.fs().create(op_, fs::kRootInode, "f", 0644, O_RDWR | O_CREAT));
    ASSERT_TRUE(made);
    handle_ = made->open.handle;
    write_some(3000);
    const std::size_t connections = wire_.connections();
    wire_.reconnect_to(after_bytes);
    while (wire_.connections() == connections) wire_.wait(1);
    // Some of these meet bytes that were gathered before, and the limits of the new connection.
    for (int round = 0; round < 30; ++round) {
      write_some(20'000);
      wire_.wait(1);
    }
    ASSERT_TRUE(wire_.run(wire_.fs().flush(op_, handle_)));
    ASSERT_TRUE(wire_.run(wire_.fs().release(op_, handle_)));
    wire_.fs().forget(made->entry.ino, 1);
    ModelRef node;
    ASSERT_EQ(wire_.tree().find("/srv/f", false, node), 0);
    EXPECT_TRUE(node->content == text_) << node->content.size() << " of " << text_.size();
  }

  Stopwatch wire_;
  fs::OperationContext op_;
  Random random_{8};
  std::uint64_t handle_ = 0;
  std::string text_;
};

TEST_F(LimitsAfterReconnection, WritesGatheredBeforeKeepToTheirBufferWhereMoreIsAllowed) {
  write_through_a_reconnection(4096, 64 << 10);
}

TEST_F(LimitsAfterReconnection, WritesGatheredBeforeAreSentInPiecesWhereLessIsAllowed) {
  write_through_a_reconnection(64 << 10, 4096);
}

}  // namespace
}  // namespace sftpfs::sim
