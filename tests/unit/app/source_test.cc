// See app/source.h.
#include "app/source.h"

#include <gtest/gtest.h>

#include <vector>

namespace sftpfs::app {
namespace {

struct Good {
  const char* text;
  const char* user;
  const char* host;
  const char* directory;
};

TEST(Source, ReadsEveryFormThatSshfsReads) {
  const std::vector<Good> cases = {
      {"host:", "", "host", ""},
      {"host:/data", "", "host", "/data"},
      {"host:data/sub", "", "host", "data/sub"},
      {"user@host:/data", "user", "host", "/data"},
      {"user@host:", "user", "host", ""},
      {"alias-from.ssh_config:~", "", "alias-from.ssh_config", "~"},
      {"user@example.org@host:/", "user@example.org", "host", "/"},
      {"DOMAIN\\user@host:/", "DOMAIN\\user", "host", "/"},
      {"192.0.2.1:/a:b", "", "192.0.2.1", "/a:b"},
      {"host:/with space", "", "host", "/with space"},
      {"host:/a[b]@c", "", "host", "/a[b]@c"},
      {"[2001:db8::1]:/data", "", "2001:db8::1", "/data"},
      {"[::1]:", "", "::1", ""},
      {"user@[::1]:dir", "user", "::1", "dir"},
      {"[user@::1]:/dir", "user", "::1", "/dir"},
      {"[fe80::1%eth0]:/", "", "fe80::1%eth0", "/"},
      {"[host]:/", "", "host", "/"},
      {"host:-dir", "", "host", "-dir"},
  };
  for (const Good& expected : cases) {
    SCOPED_TRACE(expected.text);
    const Result<Source> source = parse_source(expected.text);
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ(source->text, expected.text);
    EXPECT_EQ(source->user, expected.user);
    EXPECT_EQ(source->host, expected.host);
    EXPECT_EQ(source->directory, expected.directory);
  }
}

struct Bad {
  const char* text;
  const char* cause;
};

TEST(Source, RefusesWhatIsNoSourceWithOneClearLine) {
  const std::vector<Bad> cases = {
      {"", "no ':'"},
      {"host", "no ':'"},
      {"/local/path", "no ':'"},
      {"/local/with:colon", "no ':'"},
      {"@host:/data", "empty user"},
      {"[::1:/data", "missing ']'"},
      {"a]b:/data", "']' without '['"},
      {"[[::1]]:/", "'[' inside"},
      {"ho st:/", "blank"},
      {"host\n:/", "control"},
      {"host:/a\nb", "control"},
  };
  for (const Bad& expected : cases) {
    SCOPED_TRACE(expected.text);
    const Result<Source> source = parse_source(expected.text);
    ASSERT_FALSE(source);
    EXPECT_TRUE(source.error().is(ErrorCode::kInvalid));
    EXPECT_NE(source.error().message().find(expected.cause), std::string::npos)
        << source.error().message();
    EXPECT_EQ(source.error().message().find('\n'), std::string::npos);
  }
}

TEST(Source, NeverLetsAHostOrUserBecomeAnOptionOfSsh) {
  for (const char* text : {"-oProxyCommand=id:/p", "[-oProxyCommand=id]:/p", "-v@host:/",
                           "user@-oProxyCommand=id:/", "user@[-F/tmp/x]:/", "[-x@host]:/"}) {
    SCOPED_TRACE(text);
    const Result<Source> source = parse_source(text);
    ASSERT_FALSE(source);
    EXPECT_NE(source.error().message().find("must not start with '-'"), std::string::npos)
        << source.error().message();
  }
}

}  // namespace
}  // namespace sftpfs::app
