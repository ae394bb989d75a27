// The numbers that the kernel knows open files by.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "fs/open_file.h"

namespace sftpfs::fs {
namespace {

TEST(HandleTable, NumbersAreNeverZeroAndNeverUsedAgain) {
  HandleTable<int> table;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t handle = table.add(std::make_shared<int>(i));
    EXPECT_NE(handle, 0U);
    EXPECT_TRUE(seen.insert(handle).second);
    if (i % 2 == 0) table.remove(handle);
  }
  EXPECT_EQ(table.size(), 50U);
}

TEST(HandleTable, FindsUntilRemoved) {
  HandleTable<int> table;
  const std::uint64_t handle = table.add(std::make_shared<int>(7));
  ASSERT_NE(table.find(handle), nullptr);
  EXPECT_EQ(*table.find(handle), 7);
  const std::shared_ptr<int> removed = table.remove(handle);
  ASSERT_NE(removed, nullptr);
  EXPECT_EQ(removed.use_count(), 1) << "the table keeps no share";
  EXPECT_EQ(table.find(handle), nullptr);
  EXPECT_EQ(table.remove(handle), nullptr);
  EXPECT_EQ(table.find(0), nullptr);
}

TEST(HandleTable, TakeAllLeavesNothing) {
  HandleTable<int> table;
  table.add(std::make_shared<int>(1));
  table.add(std::make_shared<int>(2));
  EXPECT_EQ(table.all().size(), 2U);
  EXPECT_EQ(table.size(), 2U);
  const std::vector<std::shared_ptr<int>> taken = table.take_all();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken.front().use_count(), 1);
  EXPECT_EQ(table.size(), 0U);
}

TEST(HandleTable, AnObjectIsRemovedByExactlyOneThread) {
  HandleTable<int> table;
  std::vector<std::uint64_t> handles;
  for (int i = 0; i < 1000; ++i) handles.push_back(table.add(std::make_shared<int>(i)));
  std::atomic<int> removed{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (const std::uint64_t handle : handles) removed += table.remove(handle) != nullptr;
      });
    }
  }
  EXPECT_EQ(removed.load(), 1000);
}

}  // namespace
}  // namespace sftpfs::fs
