// InodeTable: names and inodes, one situation at a time.
#include "fs/inode_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace sftpfs::fs {
namespace {

class InodeTableTest : public ::testing::Test {
 protected:
  InodeTableTest() { table.set_root_path("/srv"); }
  InodeRef directory(const InodeRef& parent, const std::string& name) {
    return table.enter(parent, name, S_IFDIR);
  }
  InodeRef file(const InodeRef& parent, const std::string& name) {
    return table.enter(parent, name, S_IFREG);
  }
  std::string path(const InodeRef& inode) {
    const Result<std::string> found = table.path(*inode);
    if (found) return *found;
    EXPECT_EQ(found.error().os_errno(), ESTALE);
    return "stale";
  }

  InodeTable table;
  const InodeRef root = table.root();
};

TEST_F(InodeTableTest, TheRootIsAlwaysThere) {
  EXPECT_EQ(table.find(kRootInode), root);
  table.forget(kRootInode, 1'000);
  EXPECT_EQ(table.find(kRootInode), root);
  EXPECT_EQ(path(root), "/srv");
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(InodeTableTest, PathsAreJoinedWithOneSlash) {
  const InodeRef a = directory(root, "a");
  EXPECT_EQ(path(file(a, "f")), "/srv/a/f");
  EXPECT_EQ(table.path(*a, "new").value_or(""), "/srv/a/new");
  table.set_root_path("/");
  EXPECT_EQ(path(a), "/a");
  EXPECT_EQ(table.path(*root, "new").value_or(""), "/new");
}

TEST_F(InodeTableTest, OfAChangedFileThatIsForgottenItsDirectoryKnows) {
  const InodeRef changed = file(root, "changed");
  const InodeRef unchanged = file(root, "unchanged");
  const AttrToken before = table.token(Ordering::kIndependent, TimePoint());
  changed->change_begins(Change::kContent);
  changed->change_ends();
  const AttrToken after = table.token(Ordering::kIndependent, TimePoint());
  table.forget(unchanged->id(), 1);
  EXPECT_FALSE(root->child_left_since(before));
  table.forget(changed->id(), 1);
  EXPECT_TRUE(root->child_left_since(before));
  EXPECT_FALSE(root->child_left_since(after));
}

TEST_F(InodeTableTest, AForgottenDirectoryGoesWithItsLastName) {
  const InodeRef a = directory(root, "a");
  const InodeRef b = directory(root, "b");
  file(a, "f");
  file(b, "g");
  table.forget(a->id(), 1);
  table.forget(b->id(), 1);
  EXPECT_EQ(table.find(a->id()), a);
  table.remove(*a, "f");
  EXPECT_EQ(table.find(a->id()), nullptr);
  table.rename(*b, "g", root, "g");
  EXPECT_EQ(table.find(b->id()), nullptr);
  EXPECT_EQ(table.find_child(*root, "b"), nullptr);
}

TEST_F(InodeTableTest, ANameEnteredAgainIsTheSameInodeWithOneMoreLookup) {
  const InodeRef first = file(root, "f");
  EXPECT_EQ(file(root, "f"), first);
  table.forget(first->id(), 1);
  EXPECT_EQ(table.find(first->id()), first);
  table.forget(first->id(), 1);
  EXPECT_EQ(table.find(first->id()), nullptr);
  EXPECT_EQ(table.find_child(*root, "f"), nullptr);
}

TEST_F(InodeTableTest, NumbersAreNeverUsedAgain) {
  const std::uint64_t first = file(root, "f")->id();
  table.forget(first, 1);
  EXPECT_NE(file(root, "f")->id(), first);
}

TEST_F(InodeTableTest, AnotherTypeOfTheSameNameIsAnotherInode) {
  const InodeRef old = file(root, "x");
  const InodeRef now = directory(root, "x");
  EXPECT_NE(old, now);
  EXPECT_EQ(path(now), "/srv/x");
  EXPECT_EQ(path(old), "stale");
  EXPECT_EQ(table.find(old->id()), old) << "the kernel still knows it";
}

TEST_F(InodeTableTest, AForgottenDirectoryLivesWhileItHasKnownChildren) {
  const InodeRef a = directory(root, "a");
  const InodeRef f = file(a, "f");
  table.forget(a->id(), 1);
  EXPECT_EQ(path(f), "/srv/a/f");
  table.forget(f->id(), 1);
  EXPECT_EQ(table.size(), 1U) << "the last child takes it along";
}

TEST_F(InodeTableTest, ARemovedFileLivesWithoutANameUntilItIsForgotten) {
  const InodeRef f = file(root, "f");
  table.remove(*root, "f");
  EXPECT_EQ(path(f), "stale");
  EXPECT_EQ(table.find(f->id()), f);
  const InodeRef next = file(root, "f");
  EXPECT_NE(next, f);
  table.forget(f->id(), 1);
  EXPECT_EQ(table.find(f->id()), nullptr);
  EXPECT_EQ(path(next), "/srv/f");
}

TEST_F(InodeTableTest, RemovingAnUnknownNameDoesNothing) {
  table.remove(*root, "unknown");
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(InodeTableTest, RenamingMovesEverythingBelow) {
  const InodeRef a = directory(root, "a");
  const InodeRef b = directory(root, "b");
  const InodeRef f = file(a, "f");
  table.rename(*root, "a", b, "moved");
  EXPECT_EQ(path(f), "/srv/b/moved/f");
  EXPECT_EQ(table.find_child(*b, "moved"), a);
  EXPECT_EQ(table.find_child(*root, "a"), nullptr);
}

TEST_F(InodeTableTest, WhatHadTheNewNameLosesIt) {
  const InodeRef from = file(root, "from");
  const InodeRef to = file(root, "to");
  table.rename(*root, "from", root, "to");
  EXPECT_EQ(path(from), "/srv/to");
  EXPECT_EQ(path(to), "stale");
}

TEST_F(InodeTableTest, RenamingAnUnknownFileTakesTheNewNameAway) {
  const InodeRef to = file(root, "to");
  table.rename(*root, "never seen", root, "to");
  EXPECT_EQ(path(to), "stale");
}

TEST_F(InodeTableTest, RenamingOntoItselfOrItsOtherNameChangesNothing) {
  const InodeRef f = file(root, "f");
  table.enter_link(f, root, "g");
  table.rename(*root, "f", root, "f");
  table.rename(*root, "f", root, "g");
  EXPECT_EQ(table.find_child(*root, "f"), f);
  EXPECT_EQ(table.find_child(*root, "g"), f);
}

TEST_F(InodeTableTest, ALinkedFileKeepsItsOtherNames) {
  const InodeRef f = file(root, "f");
  table.enter_link(f, root, "g");
  table.remove(*root, "f");
  EXPECT_EQ(path(f), "/srv/g");
  table.remove(*root, "g");
  EXPECT_EQ(path(f), "stale");
  table.forget(f->id(), 2);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(InodeTableTest, AChildOfAParentForgottenMeanwhileHasNoName) {
  const InodeRef a = directory(root, "a");
  table.forget(a->id(), 1);
  const InodeRef f = file(a, "f");
  EXPECT_EQ(path(f), "stale");
  EXPECT_EQ(table.find(f->id()), f);
  table.forget(f->id(), 1);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(InodeTableTest, ALinkToAnInodeForgottenMeanwhileIsKnownAgain) {
  const InodeRef f = file(root, "f");
  table.forget(f->id(), 1);
  table.enter_link(f, root, "g");
  EXPECT_EQ(table.find(f->id()), f);
  EXPECT_EQ(path(f), "/srv/g");
}

TEST_F(InodeTableTest, RenamingADirectoryCostsTheSameHoweverMuchIsInIt) {
  constexpr int kNames = 100'000;
  constexpr int kRenames = 20'000;
  const InodeRef big = directory(root, "name0");
  std::vector<InodeRef> files;
  for (int i = 0; i < kNames; ++i) files.push_back(file(big, "f" + std::to_string(i)));
  EXPECT_EQ(table.size(), kNames + 2U);
  // Touching each name at each step would take two thousand million steps.
  for (int i = 0; i < kRenames; ++i) {
    table.rename(*root, "name" + std::to_string(i), root, "name" + std::to_string(i + 1));
  }
  const std::string where = "/srv/name" + std::to_string(kRenames);
  EXPECT_EQ(path(files.front()), where + "/f0");
  EXPECT_EQ(path(files.back()), where + "/f" + std::to_string(kNames - 1));
  table.forget(big->id(), 1);
  for (const InodeRef& f : files) table.forget(f->id(), 1);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(InodeTableTest, ManyThreadsSeeOneTree) {
  const InodeRef a = directory(root, "a");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, &a, t] {
      const std::string mine = "t" + std::to_string(t);
      for (int i = 0; i < 2'000; ++i) {
        const InodeRef common = file(a, "common");
        const InodeRef own = file(a, mine);
        table.rename(*a, mine, root, mine);
        EXPECT_TRUE(table.path(*own));
        table.remove(*root, mine);
        table.forget(own->id(), 1);
        table.forget(common->id(), 1);
      }
    });
  }
  threads.clear();
  table.forget(a->id(), 1);
  EXPECT_EQ(table.size(), 1U);
}

}  // namespace
}  // namespace sftpfs::fs
