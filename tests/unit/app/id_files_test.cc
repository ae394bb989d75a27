// See app/id_files.h.
#include "app/id_files.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/temp_dir.h"

namespace sftpfs::app {
namespace {

class IdFiles : public testing::Test {
 protected:
  Result<fs::IdRules> read(const std::string& text, mode_t mode = 0644) {
    Config config;
    config.idmap = IdMapping::kFile;
    config.uid_file = directory_.file("uids");
    std::ofstream(config.uid_file) << text;
    ::chmod(config.uid_file.c_str(), mode);
    return id_rules(config);
  }
  const test::TempDir directory_;
};

TEST_F(IdFiles, HoldNamesWithNumbersOrLinesOfPasswd) {
  const Result<fs::IdRules> rules =
      read("# ours\nroot:500\n\nnobody:x:12345:1:::\nno-such-user-here:7\n");
  ASSERT_TRUE(rules) << rules.error().message();
  const std::uint32_t nobody = ::getpwnam("nobody")->pw_uid;
  ASSERT_TRUE(rules->users);
  EXPECT_EQ(*rules->users, (fs::IdPairs{{500, 0}, {12345, nobody}}));
  EXPECT_FALSE(rules->groups);
}

TEST_F(IdFiles, MakeNoSenseInOneLineWithItsNumber) {
  for (const char* text : {"root:500\nroot\n", "a:1\n:5\n", "root:1\nroot:-1\n",
                           "root:1\nroot:99999999999\n", "root:1\nroot:x:y:z\n"}) {
    const Result<fs::IdRules> rules = read(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_NE(rules.error().message().find("uids:2:"), std::string::npos)
        << rules.error().message();
  }
}

TEST_F(IdFiles, ThatOthersMayWriteAreRefused) {
  const Result<fs::IdRules> rules = read("root:500\n", 0664);
  ASSERT_FALSE(rules);
  EXPECT_NE(rules.error().message().find("chmod go-w"), std::string::npos);
}

TEST_F(IdFiles, AreReadOnlyWhereTheyCount) {
  Config config;
  config.uid_file = "/nonexistent";
  EXPECT_TRUE(id_rules(config));
  config.idmap = IdMapping::kFile;
  EXPECT_FALSE(id_rules(config));
}

}  // namespace
}  // namespace sftpfs::app
