// Promises of app/credentials.h.
#include "app/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "app/terminal_prompter.h"
#include "support/temp_dir.h"

namespace sftpfs::app {
namespace {

class PasswordFile : public testing::Test {
 protected:
  PasswordFile() {
    config_.password_file = directory_.file("secret");
    std::ofstream(config_.password_file) << "hunter2\nsecond line\n";
    ::chmod(config_.password_file.c_str(), 0600);
  }
  const test::TempDir directory_;
  Config config_;
};

TEST_F(PasswordFile, HoldsThePasswordInItsFirstLine) {
  const Result<UniqueFd> file = open_password(config_);
  ASSERT_TRUE(file) << file.error().describe();
  const Result<ssh::Secret> password = read_password_line(file->get());
  ASSERT_TRUE(password);
  EXPECT_EQ(password->view(), "hunter2");
}

TEST_F(PasswordFile, ThatOthersMayReadIsRefused) {
  ::chmod(config_.password_file.c_str(), 0640);
  const Result<UniqueFd> file = open_password(config_);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("chmod 600"), std::string::npos);
  EXPECT_EQ(file.error().message().find("hunter2"), std::string::npos);
}

TEST_F(PasswordFile, ThatIsMissingIsNamed) {
  config_.password_file = directory_.file("missing");
  const Result<UniqueFd> file = open_password(config_);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().describe().find("missing"), std::string::npos);
}

TEST_F(PasswordFile, IsOneOfSeveralSourcesOnlyByItself) {
  config_.password_stdin = true;
  EXPECT_FALSE(validate(config_));
  config_.password_stdin = false;
  EXPECT_TRUE(validate(config_));
}

}  // namespace
}  // namespace sftpfs::app
