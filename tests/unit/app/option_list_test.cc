// See app/option_list.h.
#include "app/option_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace sftpfs::app {
namespace {

using List = std::vector<MountOption>;

struct Case {
  const char* text;
  List expected;
};

TEST(OptionList, SplitsAsLibfuseAndLibmountDo) {
  const std::vector<Case> cases = {
      {"", {}},
      {"ro", {{"ro", {}}}},
      {"ro,uid=1000", {{"ro", {}}, {"uid", "1000"}}},
      {",,ro,,", {{"ro", {}}}},
      {"user=", {{"user", ""}}},
      {"IdentityFile=/a=b", {{"IdentityFile", "/a=b"}}},
      // Commas in values.
      {R"(Ciphers=a\,b,ro)", {{"Ciphers", "a,b"}, {"ro", {}}}},
      {R"(Ciphers="a,b",ro)", {{"Ciphers", "a,b"}, {"ro", {}}}},
      {R"(context="system_u:object_r:tmp_t:s0:c127,c456",noexec)",
       {{"context", "system_u:object_r:tmp_t:s0:c127,c456"}, {"noexec", {}}}},
      // Quotes inside a value belong to it; they protect commas all the same.
      {R"(ProxyCommand=sh -c "nc %h,x 22",ro)",
       {{"ProxyCommand", R"(sh -c "nc %h,x 22")"}, {"ro", {}}}},
      {R"(a="x"y"z")", {{"a", R"("x"y"z")"}}},
      {R"(a="")", {{"a", ""}}},
      {R"(fsname=5\" disk)", {{"fsname", R"(5" disk)"}}},
      // Backslashes.
      {R"(ssh_command=ssh\\ -v)", {{"ssh_command", R"(ssh\ -v)"}}},
      {R"(fsname=a\040b)", {{"fsname", "a b"}}},
      {R"(fsname=a\08)", {{"fsname", "a08"}}},
      {R"(fsname=a\)", {{"fsname", R"(a\)"}}},
      {R"(a\,b)", {{"a,b", {}}}},
      {R"("ro")", {{R"("ro")", {}}}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.text);
    const Result<List> options = split_options(expected.text);
    ASSERT_TRUE(options) << options.error().describe();
    EXPECT_EQ(*options, expected.expected);
  }
}

TEST(OptionList, RefusesWhatCouldForgeAConfigurationLine) {
  for (const char* text :
       {"a=b\nProxyCommand=id", R"(a=b\012c)", "a\tb=c", "a=\x7f", R"(a=\000)"}) {
    SCOPED_TRACE(text);
    const Result<List> options = split_options(text);
    ASSERT_FALSE(options);
    EXPECT_NE(options.error().message().find("control character"), std::string::npos);
  }
}

TEST(OptionList, NamesTheOptionWhoseQuoteIsOpen) {
  const Result<List> options = split_options(R"(ro,context="a,b)");
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message(), "option 'context': missing closing quote");
  EXPECT_EQ(split_options("a\nb=\"").error().message(),
            R"(option 'a\x0ab': missing closing quote)");
  EXPECT_FALSE(split_options("=value"));
}

TEST(OptionList, JoinsSoThatSplittingGivesTheSameWords) {
  const std::vector<std::string> words = {"ro", R"(fsname="a,b\c)", "context=u:r:t:s0:c1,c2"};
  EXPECT_EQ(join_options({}), "");
  EXPECT_EQ(join_options({"ro", "nosuid"}), "ro,nosuid");
  const Result<List> again = split_options(join_options(words));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, (List{{"ro", {}}, {"fsname", R"("a,b\c)"}, {"context", "u:r:t:s0:c1,c2"}}));
}

}  // namespace
}  // namespace sftpfs::app
