// Byte spans and buffers that live as long as somebody looks at them.
#include "base/bytes.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

namespace sftpfs {
namespace {

std::string text_of(const SharedBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(SharedBytes, CopyDoesNotFollowItsSource) {
  std::string source = "first";
  const SharedBytes copy = SharedBytes::copy_of(as_byte_span(source));
  source = "other";
  EXPECT_EQ(text_of(copy), "first");
}

TEST(SharedBytes, PartsKeepTheWholeAlive) {
  std::optional<SharedBytes> whole = SharedBytes::copy_of(as_byte_span("0123456789"));
  const SharedBytes part = whole->subspan(3, 4);
  const SharedBytes part_of_part = part.subspan(1, 2);
  whole.reset();
  EXPECT_EQ(text_of(part), "3456");
  EXPECT_EQ(text_of(part_of_part), "45");
}

TEST(SharedBytes, EmptyIsAValue) {
  EXPECT_TRUE(SharedBytes().empty());
  const SharedBytes copy = SharedBytes::copy_of({});
  EXPECT_TRUE(copy.empty());
  EXPECT_EQ(copy.subspan(0, 0).size(), 0u);
}

TEST(SharedBytes, SharesOneBufferBetweenCopies) {
  const SharedBytes one = SharedBytes::copy_of(as_byte_span("shared"));
  const SharedBytes other = one;
  EXPECT_EQ(one.data(), other.data());
}

TEST(ByteSpan, KeepsNulAndHighBytesOfText) {
  const std::string text("\0\xff", 2);
  const ByteSpan span = as_byte_span(text);
  ASSERT_EQ(span.size(), 2u);
  EXPECT_EQ(span[0], std::byte{0});
  EXPECT_EQ(span[1], std::byte{0xff});
}

}  // namespace
}  // namespace sftpfs
