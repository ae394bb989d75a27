// Errors as values.
#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace sftpfs {
namespace {

TEST(Error, NamesEveryCodeDifferently) {
  std::set<std::string> names;
  const int last = static_cast<int>(ErrorCode::kShutdown);
  for (int code = 0; code <= last; ++code) {
    names.insert(error_code_name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last + 1));
  EXPECT_FALSE(names.contains("?"));
}

TEST(Error, OfASystemCallNamesTheObjectAndTheCause) {
  const Error error = Error::system(EACCES, "/etc/shadow");
  EXPECT_TRUE(error.is(ErrorCode::kSystem));
  EXPECT_EQ(error.os_errno(), EACCES);
  EXPECT_EQ(error.describe(), "/etc/shadow: Permission denied");
  EXPECT_EQ(Error::system(ENOENT).describe(), "No such file or directory");
}

TEST(Error, OfTheServerKeepsItsStatusAndItsText) {
  const Error error = Error::sftp(4, "disk on fire");
  EXPECT_TRUE(error.is_sftp(4));
  EXPECT_FALSE(error.is_sftp(2));
  EXPECT_EQ(error.describe(), "server status 4: disk on fire");
  EXPECT_EQ(Error::sftp(2).describe(), "server status 2");
}

TEST(Error, IsNoServerStatusWhenAnotherLayerFailed) {
  EXPECT_FALSE(Error(ErrorCode::kTimedOut).is_sftp(0));
  EXPECT_EQ(Error(ErrorCode::kTimedOut).describe(), "TimedOut");
}

TEST(Error, DescribesItselfInOneLineWhateverTheServerSays) {
  const Error error = Error::sftp(4, "no\nsftpfs: all is well\x1b[2J");
  EXPECT_EQ(error.describe(), "server status 4: no\\x0asftpfs: all is well\\x1b[2J");
  EXPECT_EQ(error.message(), "no\nsftpfs: all is well\x1b[2J");
}

TEST(Result, CarriesAValueOrAnError) {
  const Result<int> good = 7;
  const Result<int> bad = fail(ErrorCode::kBusy, "no slot");
  EXPECT_EQ(good.value_or(0), 7);
  ASSERT_FALSE(bad.has_value());
  EXPECT_TRUE(bad.error().is(ErrorCode::kBusy));
  EXPECT_EQ(bad.error().describe(), "no slot");
}

TEST(Status, IsGoodByDefault) {
  EXPECT_TRUE(Status().has_value());
  EXPECT_FALSE(Status(fail(ErrorCode::kShutdown)).has_value());
}

}  // namespace
}  // namespace sftpfs
