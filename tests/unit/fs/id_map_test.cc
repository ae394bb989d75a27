// See fs/id_map.h.
#include "fs/id_map.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sftpfs::fs {
namespace {

TEST(IdMap, WithoutRulesEverybodyIsWhoHeIs) {
  const IdMap map{IdRules{}};
  EXPECT_EQ(map.shown_user(1234), 1234U);
  EXPECT_EQ(map.sent_group(77).value(), 77U);
}

TEST(IdMap, ByUserOnlyOneIsExchanged) {
  IdRules rules;
  rules.by_user = true;
  rules.own_uid = 1000;
  rules.own_gid = 100;
  IdMap map(rules);
  ASSERT_TRUE(map.wants_user());
  map.learn(501, 20);
  EXPECT_EQ(map.shown_user(501), 1000U);
  EXPECT_EQ(map.shown_group(20), 100U);
  EXPECT_EQ(map.sent_user(1000).value(), 501U);
  EXPECT_EQ(map.shown_user(0), 0U);
  EXPECT_EQ(map.sent_user(0).value(), 0U);
}

TEST(IdMap, ByFileOthersAreNobodyAndCannotBeSet) {
  IdRules rules;
  rules.users = IdPairs{{12345, 1}, {12346, 2}, {99, 1}};
  const IdMap map(rules);
  EXPECT_EQ(map.shown_user(12345), 1U);
  EXPECT_EQ(map.shown_user(99), 1U);
  EXPECT_EQ(map.sent_user(1).value(), 12345U);
  EXPECT_EQ(map.shown_user(5), 65534U);
  EXPECT_EQ(map.sent_user(5).error().os_errno(), EPERM);
  // No file for groups.
  EXPECT_EQ(map.shown_group(5), 5U);
}

TEST(IdMap, ByFileOthersPassWhereAsked) {
  IdRules rules;
  rules.groups = IdPairs{{12345, 1}};
  rules.pass_unmapped = true;
  const IdMap map(rules);
  EXPECT_EQ(map.shown_group(5), 5U);
  EXPECT_EQ(map.sent_group(5).value(), 5U);
}

}  // namespace
}  // namespace sftpfs::fs
