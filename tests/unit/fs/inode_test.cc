// Inode: whose attributes are believed, for how long, and when content counts as changed.
#include "fs/inode.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include "fs/inode_table.h"

namespace sftpfs::fs {
namespace {

using std::chrono::seconds;

constexpr Duration kLifetime = seconds(3);
const WallTime kWallNow{5'000, 0};

sftp::Attrs attrs_of(std::uint64_t size, std::uint32_t mtime) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrSize | sftp::kAttrPermissions | sftp::kAttrTimes;
  attrs.permissions = S_IFREG | 0644;
  attrs.size = size;
  attrs.mtime = mtime;
  return attrs;
}

class InodeTest : public ::testing::Test {
 protected:
  AttrToken token(Ordering ordering = Ordering::kIndependent) {
    return AttrToken{++ticks, ordering, now};
  }
  bool adopt(const sftp::Attrs& attrs, const AttrToken& asked) {
    return inode.adopt(attrs, asked, kLifetime);
  }
  AttrView view() const { return inode.view(now); }
  bool believes(std::uint64_t size, std::uint32_t mtime) const {
    return view().attrs.size == size && view().attrs.mtime == mtime;
  }

  Ticks ticks{0};
  Inode inode{2, S_IFREG, ticks};
  TimePoint now{seconds(1000)};
};

TEST_F(InodeTest, NothingIsKnownAtFirst) {
  EXPECT_FALSE(view().known);
  EXPECT_FALSE(view().fresh);
}

TEST_F(InodeTest, AttributesAreFreshForTheirLifetimeFromWhenTheyWereAskedFor) {
  const AttrToken asked = token();
  now += seconds(1);  // the answer took that long
  EXPECT_FALSE(adopt(attrs_of(10, 100), asked));
  EXPECT_TRUE(view().known);
  EXPECT_TRUE(view().fresh);
  EXPECT_EQ(view().remaining, seconds(2));
  now += seconds(2);
  EXPECT_FALSE(view().fresh);
  EXPECT_TRUE(view().known);
  EXPECT_EQ(view().remaining, seconds(0));
}

TEST_F(InodeTest, ExpiredAttributesAreKnownButNotFresh) {
  adopt(attrs_of(10, 100), token());
  inode.expire();
  EXPECT_TRUE(view().known);
  EXPECT_FALSE(view().fresh);
}

TEST_F(InodeTest, AForeignChangeOfSizeOrTimeMakesANewGeneration) {
  adopt(attrs_of(10, 100), token());
  const std::uint64_t first = inode.generation();
  EXPECT_FALSE(adopt(attrs_of(10, 100), token()));
  EXPECT_EQ(inode.generation(), first);
  EXPECT_TRUE(adopt(attrs_of(11, 100), token()));
  EXPECT_TRUE(adopt(attrs_of(11, 101), token()));
  EXPECT_EQ(inode.generation(), first + 2);
}

TEST_F(InodeTest, AModePutAsideIsShownUntilAnswersAreYoungerThanItsReturn) {
  adopt(attrs_of(10, 100), token());
  inode.mode_aside_begins(0400);
  sftp::Attrs widened = attrs_of(10, 100);
  widened.permissions = S_IFREG | 0600;
  const AttrToken meanwhile = token();
  adopt(widened, meanwhile);
  EXPECT_EQ(view().attrs.permissions, S_IFREG | 0400U);
  inode.mode_aside_ends();
  adopt(widened, meanwhile);
  EXPECT_EQ(view().attrs.permissions, S_IFREG | 0400U);
  adopt(widened, token());
  EXPECT_EQ(view().attrs.permissions, S_IFREG | 0600U);
}

TEST_F(InodeTest, AnAnswerBetweenTwoSendingsOfAChangeIsNotBehindIt) {
  adopt(attrs_of(10, 100), token());
  ChangeScope change(InodeRef(InodeRef(), &inode), Change::kContent);
  const AttrToken between = token(Ordering::kBehindChanges);
  change.repeat();
  adopt(attrs_of(20, 200), between);
  EXPECT_TRUE(believes(10, 100));
  adopt(attrs_of(30, 300), token(Ordering::kBehindChanges));
  EXPECT_TRUE(believes(30, 300));
}

TEST_F(InodeTest, AnAnswerAskedForBeforeOurChangeIsNotBelieved) {
  adopt(attrs_of(10, 100), token());
  for (const Ordering ordering : {Ordering::kIndependent, Ordering::kBehindChanges}) {
    const AttrToken early = token(ordering);
    inode.write_begins(50, kWallNow);
    EXPECT_FALSE(adopt(attrs_of(10, 100), early));
    inode.change_ends();
    EXPECT_FALSE(adopt(attrs_of(10, 100), early));
    EXPECT_TRUE(believes(50, 5'000));
  }
}

TEST_F(InodeTest, AnAnswerAskedForDuringOurChangeIsBelievedOnlyIfOrderedBehindIt) {
  adopt(attrs_of(10, 100), token());
  inode.write_begins(50, kWallNow);
  const AttrToken elsewhere = token(Ordering::kIndependent);
  const AttrToken behind = token(Ordering::kBehindChanges);
  EXPECT_FALSE(adopt(attrs_of(10, 100), elsewhere)) << "it may have overtaken the write";
  EXPECT_TRUE(believes(50, 5'000));
  inode.change_ends();
  EXPECT_FALSE(adopt(attrs_of(10, 100), elsewhere)) << "the write ended later";
  EXPECT_TRUE(believes(50, 5'000));
  EXPECT_FALSE(adopt(attrs_of(50, 200), behind));
  EXPECT_TRUE(believes(50, 200));
  EXPECT_TRUE(view().fresh);
}

TEST_F(InodeTest, AnAnswerAskedForAfterOurChangeEndedIsBelieved) {
  adopt(attrs_of(10, 100), token());
  inode.write_begins(50, kWallNow);
  inode.change_ends();
  const std::uint64_t generation = inode.generation();
  EXPECT_FALSE(adopt(attrs_of(50, 200), token())) << "the new time is that of our write";
  EXPECT_TRUE(believes(50, 200));
  EXPECT_EQ(inode.generation(), generation);
}

TEST_F(InodeTest, AnAnswerBehindOneWriteIsOldWhenTheNextHasBegun) {
  inode.write_begins(10, kWallNow);
  adopt(attrs_of(10, 100), token(Ordering::kBehindChanges));
  inode.write_begins(20, kWallNow);
  const AttrToken behind_both = token(Ordering::kBehindChanges);
  inode.write_begins(30, kWallNow);
  adopt(attrs_of(20, 200), behind_both);
  EXPECT_TRUE(believes(30, 5'000));
  EXPECT_TRUE(view().locally_modified);
}

TEST_F(InodeTest, ASizeThatIsNotOursIsForeignEvenAmongOurWrites) {
  adopt(attrs_of(10, 100), token());
  const std::uint64_t generation = inode.generation();
  inode.write_begins(50, kWallNow);
  inode.change_ends();
  EXPECT_TRUE(adopt(attrs_of(70, 200), token()));
  EXPECT_EQ(inode.generation(), generation + 1);
}

TEST_F(InodeTest, ChangingPermissionsDoesNotHideAForeignChangeOfContent) {
  adopt(attrs_of(10, 100), token());
  inode.change_begins(Change::kOther);
  inode.change_ends();
  EXPECT_TRUE(adopt(attrs_of(10, 101), token()));
}

TEST_F(InodeTest, SettingTheTimeIsNoForeignChange) {
  adopt(attrs_of(10, 100), token());
  inode.change_begins(Change::kContent);
  inode.change_ends();
  EXPECT_FALSE(adopt(attrs_of(10, 42), token()));
}

TEST_F(InodeTest, GuessedAttributesCountOnlyWhileOurWritesAreUnderWay) {
  adopt(attrs_of(10, 100), token());
  inode.write_begins(50, kWallNow);
  EXPECT_TRUE(view().fresh);
  now += seconds(60);
  EXPECT_TRUE(view().fresh) << "a writer knows best, however long it takes";
  now -= seconds(60);
  inode.change_ends();
  EXPECT_FALSE(view().fresh) << "the local clock is not the server's";
  EXPECT_TRUE(view().locally_modified);
  adopt(attrs_of(50, 104), token());
  EXPECT_TRUE(view().fresh);
  EXPECT_FALSE(view().locally_modified);
}

TEST_F(InodeTest, APermissionChangeUnderWayKeepsNothingFresh) {
  adopt(attrs_of(10, 100), token());
  inode.change_begins(Change::kOther);
  now += seconds(60);
  EXPECT_FALSE(view().fresh);
  inode.change_ends();
}

TEST_F(InodeTest, UnknownAttributesAreTakenFromAnyAnswerButNotForLong) {
  inode.write_begins(50, kWallNow);
  EXPECT_FALSE(adopt(attrs_of(0, 100), token()));
  EXPECT_TRUE(view().known);
  inode.change_ends();
  EXPECT_FALSE(view().fresh);
}

TEST_F(InodeTest, AWriteMakesTheFileGrowAndNeverShrink) {
  adopt(attrs_of(100, 100), token());
  inode.write_begins(50, kWallNow);
  EXPECT_EQ(view().attrs.size, 100U);
  inode.write_begins(150, kWallNow);
  EXPECT_EQ(view().attrs.size, 150U);
  EXPECT_EQ(view().attrs.mtime, 5'000U);
  inode.change_ends();
  inode.change_ends();
}

TEST_F(InodeTest, ATruncationSetsTheSizeUnlessSomebodyHasWrittenSince) {
  adopt(attrs_of(100, 100), token());
  const std::uint64_t first = inode.change_begins(Change::kContent);
  inode.change_ends();
  inode.set_size(0, first);
  EXPECT_EQ(view().attrs.size, 0U);

  const std::uint64_t second = inode.change_begins(Change::kContent);
  inode.write_begins(70, kWallNow);
  inode.change_ends();
  inode.set_size(0, second);
  EXPECT_EQ(view().attrs.size, 70U) << "the write is behind the truncation";
  inode.change_ends();
}

TEST_F(InodeTest, NamesThatChangedAfterAListingWasAskedForAreToldApart) {
  const AttrToken before = token();
  EXPECT_FALSE(inode.names_changed_since(before));
  adopt(attrs_of(0, 100), before);
  inode.names_changed();
  EXPECT_TRUE(inode.names_changed_since(before));
  EXPECT_FALSE(inode.names_changed_since(token()));
  EXPECT_FALSE(view().fresh) << "the directory's times have changed";
}

TEST_F(InodeTest, TheKernelsPagesAreCurrentOnlyForTheGenerationOfTheLastOpen) {
  EXPECT_FALSE(inode.kernel_cache_is_current()) << "the kernel has nothing yet";
  EXPECT_TRUE(inode.kernel_cache_is_current());
  inode.new_generation();
  EXPECT_FALSE(inode.kernel_cache_is_current());
  EXPECT_TRUE(inode.kernel_cache_is_current());
  adopt(attrs_of(10, 100), token());
  adopt(attrs_of(11, 100), token());
  EXPECT_FALSE(inode.kernel_cache_is_current());
}

TEST_F(InodeTest, WhatTheKernelWasToldIsOldWhenSizeOrTimeAreOthers) {
  adopt(attrs_of(10, 100), token());
  inode.tell_kernel(view().attrs);
  EXPECT_FALSE(inode.kernel_attrs_are_old());
  adopt(attrs_of(10, 101), token());
  EXPECT_TRUE(inode.kernel_attrs_are_old());
  inode.tell_kernel(view().attrs);
  EXPECT_FALSE(inode.kernel_attrs_are_old());
}

TEST_F(InodeTest, AChangeScopeEndsItsChangeOnce) {
  const std::shared_ptr<Inode> shared = std::make_shared<Inode>(3, S_IFREG, ticks);
  shared->adopt(attrs_of(10, 100), token(), kLifetime);
  {
    ChangeScope scope(shared, Change::kContent);
    EXPECT_TRUE(shared->view(now).fresh);
    scope.end();
    EXPECT_FALSE(shared->view(now).fresh);
  }
  ChangeScope nothing(nullptr, Change::kOther);
  nothing.end();
  shared->change_begins(Change::kOther);
  shared->change_ends();  // checked: there are as many ends as begins
}

// --- At open ------------------------------------------------------------------------------------

TEST_F(InodeTest, ContentReadJustAfterAChangeIsDroppedAtTheNextOpen) {
  adopt(attrs_of(10, 4'999), token());
  const std::uint64_t before = inode.generation();
  inode.settle_content(kWallNow, false, false);
  EXPECT_GT(inode.generation(), before);
  // Also when the time of the change is over: it was read within it.
  const std::uint64_t read = inode.generation();
  inode.settle_content(WallTime{5'100, 0}, false, false);
  EXPECT_GT(inode.generation(), read);
  const std::uint64_t settled = inode.generation();
  inode.settle_content(WallTime{5'200, 0}, false, false);
  EXPECT_EQ(inode.generation(), settled);
}

TEST_F(InodeTest, WhatWeAreWritingOrAreToldToKeepIsNotDroppedAtOpen) {
  adopt(attrs_of(10, 4'999), token());
  const std::uint64_t before = inode.generation();
  inode.settle_content(kWallNow, true, false);
  inode.settle_content(kWallNow, false, true);
  inode.change_begins(Change::kContent);
  inode.settle_content(kWallNow, false, false);
  EXPECT_EQ(inode.generation(), before);
}

TEST_F(InodeTest, LeaveToReadIsForTheModeAndOwnerThatTheServerShowedWithIt) {
  sftp::Attrs mine = attrs_of(10, 100);
  mine.permissions = S_IFREG | 0600;
  adopt(mine, token());
  EXPECT_FALSE(inode.is_read_permitted());
  // Our chmod has been begun since.
  sftp::Attrs closed = mine;
  closed.permissions = S_IFREG;
  inode.predict(closed);
  inode.read_permitted(mine);
  EXPECT_FALSE(inode.is_read_permitted());
  adopt(mine, token());
  EXPECT_TRUE(inode.is_read_permitted());
  sftp::Attrs others = mine;
  others.uid = 7;
  adopt(others, token());
  EXPECT_FALSE(inode.is_read_permitted());
}

}  // namespace
}  // namespace sftpfs::fs
