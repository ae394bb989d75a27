// The order in which accepted bytes are kept and let go.
#include "fs/extent_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace sftpfs::fs {
namespace {

ExtentRef push(ExtentQueue& queue, std::uint64_t offset, std::size_t size_bytes) {
  Extent extent;
  extent.offset = offset;
  extent.data = SharedBytes::copy_of(as_byte_span(std::string(size_bytes, 'x')));
  return queue.push(std::move(extent));
}

TEST(ExtentQueue, NumbersWhatItIsGivenAndKnowsTheLast) {
  ExtentQueue queue;
  EXPECT_EQ(queue.last_number(), 0U);
  EXPECT_TRUE(queue.settled_up_to(0));
  EXPECT_EQ(push(queue, 0, 10)->number, 1U);
  EXPECT_EQ(push(queue, 10, 10)->number, 2U);
  EXPECT_EQ(queue.last_number(), 2U);
  EXPECT_EQ(queue.all().front()->accepted_bytes, 10U);
}

TEST(ExtentQueue, LetsNothingGoBeforeWhatIsOlder) {
  ExtentQueue queue;
  const ExtentRef first = push(queue, 0, 10);
  const ExtentRef second = push(queue, 10, 10);
  second->settled = true;
  EXPECT_EQ(queue.pop_settled(), nullptr);
  EXPECT_FALSE(queue.settled_up_to(1));
  first->settled = true;
  EXPECT_EQ(queue.pop_settled(), first);
  EXPECT_TRUE(queue.settled_up_to(1));
  EXPECT_FALSE(queue.settled_up_to(2));
  EXPECT_EQ(queue.pop_settled(), second);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.settled_up_to(2));
}

TEST(ExtentQueue, KnowsWhatItCoversToTheByte) {
  ExtentQueue queue;
  push(queue, 100, 10);
  EXPECT_TRUE(queue.overlaps(100, 110));
  EXPECT_TRUE(queue.overlaps(0, 101));
  EXPECT_TRUE(queue.overlaps(109, 200));
  EXPECT_FALSE(queue.overlaps(0, 100));
  EXPECT_FALSE(queue.overlaps(110, 200));
}

}  // namespace
}  // namespace sftpfs::fs
