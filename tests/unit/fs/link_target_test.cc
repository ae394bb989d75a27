// See fs/link_target.h.
#include "fs/link_target.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sftpfs::fs {
namespace {

struct Row {
  const char* link;
  const char* target;
  const char* shown;  // "": EPERM
};

void check(const LinkRules& rules, const char* root, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.link) + " -> " + row.target);
    const Result<std::string> shown = shown_target(rules, root, row.link, row.target);
    EXPECT_EQ(shown.value_or(""), row.shown);
    if (!shown) {
      EXPECT_EQ(shown.error().os_errno(), EPERM);
    }
  }
}

TEST(LinkTarget, WithoutRulesIsWhatTheServerSays) {
  check({}, "/data", {{"/data/l", "/etc/passwd", "/etc/passwd"}, {"/data/l", "../x", "../x"}});
}

TEST(LinkTarget, BelowTheMountedDirectoryBecomesRelative) {
  check({true, false}, "/data",
        {{"/data/l", "/data/x/y", "x/y"},
         {"/data/a/b/l", "/data/x", "../../x"},
         {"/data/a/b/l", "/data/a/x", "../x"},
         {"/data/a/l", "/data", ".."},
         {"/data/l", "/data/", "."},
         {"/data/l", "//data//x/./y", "x/y"},
         {"/data/l", "/database/x", "/database/x"},
         {"/data/l", "/data/../etc", "/data/../etc"},
         {"/data/l", "/etc/passwd", "/etc/passwd"},
         {"/data/a/l", "../../etc", "../../etc"}});
  check({true, false}, "/", {{"/a/l", "/etc/x", "../etc/x"}});
}

TEST(LinkTarget, ThatProvablyStaysInsideIsShown) {
  check({false, true}, "/data",
        {{"/data/l", "x", "x"},
         {"/data/l", "./x/y", "./x/y"},
         {"/data/l", ".", "."},
         {"/data/a/l", "..", ".."},
         {"/data/a/b/l", "../../x", "../../x"},
         {"/data/node/.bin/tool", "../tool/cli.js", "../tool/cli.js"},
         {"/data/l", "/data/x", "x"},
         {"/data/l", "..x/...", "..x/..."}});
}

TEST(LinkTarget, ThatMightLeadOutIsRefused) {
  check({false, true}, "/data",
        {{"/data/l", "..", ""},
         {"/data/l", "../x", ""},
         {"/data/a/l", "../../x", ""},
         {"/data/a/l", ".././..", ""},
         {"/data/a/l", "..//..//x", ""},
         {"/data/l", "/etc/passwd", ""},
         {"/data/l", "/", ""},
         {"/data/l", "/data/../etc/passwd", ""},
         {"/data/l", "/database", ""},
         // Harmless by its letters, but "x" may be a link to here.
         {"/data/l", "x/..", ""},
         {"/data/l", "x/../etc/passwd", ""},
         {"/data/a/l", "../x/../y", ""}});
}

}  // namespace
}  // namespace sftpfs::fs
