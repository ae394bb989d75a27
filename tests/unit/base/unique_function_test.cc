// The move-only callable.
#include "base/unique_function.h"

#include <gtest/gtest.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace sftpfs {
namespace {

static_assert(!std::is_copy_constructible_v<UniqueFunction>);
static_assert(std::is_nothrow_move_constructible_v<UniqueFunction>);
static_assert(!std::is_constructible_v<UniqueFunction, int>);
static_assert(!std::is_constructible_v<UniqueFunction, void (*)(int)>);

TEST(UniqueFunction, IsEmptyByDefault) { EXPECT_FALSE(UniqueFunction()); }

TEST(UniqueFunction, RunsAsOftenAsCalled) {
  int calls = 0;
  UniqueFunction function([&calls] { ++calls; });
  EXPECT_TRUE(function);
  function();
  function();
  EXPECT_EQ(calls, 2);
}

TEST(UniqueFunction, CarriesWhatCannotBeCopied) {
  int seen = 0;
  UniqueFunction function([value = std::make_unique<int>(7), &seen] { seen = *value; });
  UniqueFunction moved = std::move(function);
  EXPECT_FALSE(function);  // NOLINT(bugprone-use-after-move): the promise under test
  moved();
  EXPECT_EQ(seen, 7);
}

TEST(UniqueFunction, KeepsItsStateBetweenCalls) {
  int last = 0;
  UniqueFunction function([count = 0, &last]() mutable { last = ++count; });
  function();
  function();
  EXPECT_EQ(last, 2);
}

TEST(UniqueFunction, FreesItsCaptureWhenReplaced) {
  const auto token = std::make_shared<int>(0);
  UniqueFunction function([token] {});
  EXPECT_EQ(token.use_count(), 2);
  function = UniqueFunction();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(UniqueFunctionDeathTest, RefusesToRunEmpty) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(UniqueFunction()(), "internal error");
}

}  // namespace
}  // namespace sftpfs
