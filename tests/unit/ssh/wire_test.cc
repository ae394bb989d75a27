// Promises of ssh/wire.h and ssh/base64.h.
#include "ssh/wire.h"

#include <gtest/gtest.h>

#include "ssh/base64.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

TEST(Wire, ReadsWhatItWrites) {
  const std::string text = WireWriter().u8(7).u32(0x01020304).str("name").take();
  WireReader reader(text);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_EQ(reader.u32(), 0x01020304U);
  EXPECT_EQ(reader.str(), "name");
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.rest().empty());
}

TEST(Wire, NeverReadsBeyondTheEnd) {
  const std::string text = WireWriter().u32(1000).take() + "short";
  WireReader reader(text);
  EXPECT_TRUE(reader.str().empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(Wire, NumbersStayPositiveAndMinimal) {
  EXPECT_EQ(WireWriter().mpint(std::string("\0\0\x7f", 3)).take(), std::string("\0\0\0\1\x7f", 5));
  EXPECT_EQ(WireWriter().mpint("\x80").take(), std::string("\0\0\0\2\0\x80", 6));
  EXPECT_EQ(WireWriter().mpint("").take(), std::string("\0\0\0\0", 4));
}

TEST(Base64, RoundTripsEveryLength) {
  for (std::size_t size = 0; size < 10; ++size) {
    const std::string bytes(size, '\xfe');
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes) << size;
  }
}

TEST(Base64, RefusesWhatIsNotExactlyBase64) {
  for (const char* text : {"a", "ab=c", "ab c", "a===", "====", "ab\n=", "YWJj!"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(PublicKey, NamesTypesAsOpenSshDoes) {
  EXPECT_EQ(key_type_label("ssh-ed25519"), "ED25519");
  EXPECT_EQ(key_type_label("ecdsa-sha2-nistp384"), "ECDSA");
  EXPECT_EQ(key_type_label("ssh-rsa"), "RSA");
  EXPECT_EQ(key_type("\x01"), "");
}

}  // namespace
}  // namespace sftpfs::ssh
