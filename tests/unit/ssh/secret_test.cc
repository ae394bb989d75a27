// Promises of ssh/secret.h.
#include "ssh/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sftpfs::ssh {
namespace {

TEST(Secret, WipesItsBytesWhenCleared) {
  Secret secret = Secret::copy_of("correct horse battery staple");
  const char* bytes = secret.buffer();
  secret.clear();
  EXPECT_TRUE(secret.empty());
  EXPECT_TRUE(std::all_of(bytes, bytes + secret.capacity(), [](char c) { return c == '\0'; }));
}

TEST(Secret, MovesWithoutLeavingACopy) {
  Secret first = Secret::copy_of("one");
  const char* where = first.buffer();
  const Secret second = std::move(first);
  EXPECT_EQ(second.view(), "one");
  EXPECT_EQ(second.c_str(), where);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(first.capacity(), 0U);
}

TEST(Secret, AppendsWithinItsCapacityOnly) {
  Secret secret(4);
  EXPECT_TRUE(secret.append("abc"));
  EXPECT_FALSE(secret.append("de"));
  EXPECT_EQ(secret.view(), "abc");
  EXPECT_STREQ(secret.c_str(), "abc");
}

TEST(Secret, ClonesOnDemand) {
  const Secret first = Secret::copy_of("x");
  const Secret second = first.clone();
  EXPECT_EQ(second.view(), "x");
  EXPECT_NE(first.c_str(), second.c_str());
}

TEST(Secret, AnEmptyOneIsAnEmptyText) {
  const Secret none;
  EXPECT_STREQ(none.c_str(), "");
  EXPECT_TRUE(none.clone().empty());
}

}  // namespace
}  // namespace sftpfs::ssh
