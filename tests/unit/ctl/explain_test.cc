// See ctl/explain.h.
#include "ctl/explain.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace sftpfs::ctl {
namespace {

TEST(Explain, KnowsAnErrnoByNumberNameAndText) {
  const std::string by_name = explain("ETIMEDOUT");
  EXPECT_NE(by_name.find("soft"), std::string::npos);
  EXPECT_EQ(explain("110"), by_name);
  EXPECT_EQ(explain("cp: cannot stat 'x': Connection timed out"), by_name);
}

TEST(Explain, KnowsALineOfTheLog) {
  const std::string text =
      explain("session 0: connection lost after 3.2 s: the server has been silent for 45 s");
  EXPECT_NE(text.find("connection lost after"), std::string::npos);
  EXPECT_NE(text.find("the server has been silent"), std::string::npos);
}

TEST(Explain, SaysNothingOfWhatItDoesNotKnow) {
  EXPECT_EQ(explain("all is well"), "");
  EXPECT_EQ(explain("99999"), "");
}

// A name inside another word is not that errno.
TEST(Explain, TakesOnlyWholeNames) { EXPECT_EQ(explain("XEIOX"), ""); }

TEST(Explain, ThePageOfTheDocumentationIsTheOneMadeHere) {
  std::ifstream file(SFTPFS_SOURCE_DIR "/docs/TROUBLESHOOTING.md");
  std::ostringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), troubleshooting_page())
      << "renew it: sftpfsctl explain --page >docs/TROUBLESHOOTING.md";
}

}  // namespace
}  // namespace sftpfs::ctl
