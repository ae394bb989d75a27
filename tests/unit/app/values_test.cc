// See app/values.h.
#include "app/values.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace sftpfs::app {
namespace {

TEST(Values, SizesKnowTheirSuffixes) {
  const std::map<std::string, std::uint64_t> good = {
      {"0", 0},           {"4096", 4096},
      {"64K", 65536},     {"64k", 65536},
      {"1M", 1 << 20},    {"1MiB", 1 << 20},
      {"1MB", 1 << 20},   {"2G", 2ULL << 30},
      {"1T", 1ULL << 40}, {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& [text, expected] : good) EXPECT_EQ(parse_size(text).value(), expected) << text;
  for (const char* text : {"", "K", "-1", "1.5G", "12Q", "1KK", "1 K", "18446744073709551616",
                           "99999999999T", "0x10"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Values, SecondsAreFiniteAndNotNegative) {
  EXPECT_DOUBLE_EQ(parse_seconds("20").value(), 20);
  EXPECT_DOUBLE_EQ(parse_seconds("0.5").value(), 0.5);
  EXPECT_DOUBLE_EQ(parse_seconds("0").value(), 0);
  for (const char* text : {"", "-1", "nan", "inf", "1e99", "20s", "1,5", "99999999999"}) {
    EXPECT_FALSE(parse_seconds(text)) << text;
  }
}

TEST(Values, SshTimesAddUp) {
  const std::map<std::string, std::uint32_t> good = {
      {"0", 0},         {"15", 15},  {"10m", 600}, {"1h30m", 5400},
      {"1w2d", 777600}, {"90S", 90}, {"none", 0}};
  for (const auto& [text, expected] : good) {
    EXPECT_EQ(parse_ssh_time(text).value(), expected) << text;
  }
  for (const char* text : {"", "m", "-5", "1.5", "10y", "99999999999", "999999999999999999w"}) {
    EXPECT_FALSE(parse_ssh_time(text)) << text;
  }
}

TEST(Values, SwitchesUmasksAndNumbersAreStrict) {
  for (const char* text : {"yes", "YES", "true", "on", "1"})
    EXPECT_TRUE(parse_switch(text).value());
  for (const char* text : {"no", "False", "off", "0"}) EXPECT_FALSE(parse_switch(text).value());
  EXPECT_FALSE(parse_switch("maybe"));
  EXPECT_EQ(parse_umask("022").value(), 022U);
  EXPECT_EQ(parse_umask("0077").value(), 077U);
  for (const char* text : {"", "8", "1777", "-2", "rwx"}) EXPECT_FALSE(parse_umask(text)) << text;
  EXPECT_EQ(parse_number("42").value(), 42U);
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1e3"})
    EXPECT_FALSE(parse_number(text)) << text;
}

TEST(Values, UsersAndGroupsMayBeNumbersOrNames) {
  EXPECT_EQ(parse_uid("1000").value(), 1000U);
  EXPECT_EQ(parse_uid("root").value(), 0U);
  EXPECT_EQ(parse_gid("root").value(), 0U);
  // The highest id means "leave it" to chown(2).
  EXPECT_FALSE(parse_uid("4294967295"));
  EXPECT_FALSE(parse_uid("no-such-user-here"));
  EXPECT_FALSE(parse_gid("no-such-group-here"));
  EXPECT_FALSE(parse_uid("-1"));
}

}  // namespace
}  // namespace sftpfs::app
