// What complete listings answer, for how long, and within which limit.
#include "fs/listings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

namespace sftpfs::fs {
namespace {

using std::chrono::seconds;

constexpr Duration kLifetime = seconds(3);

sftp::DirEntry entry(std::string name, std::uint64_t size_bytes = 1) {
  sftp::DirEntry made;
  made.name = std::move(name);
  made.attrs.flags = sftp::kAttrSize | sftp::kAttrPermissions | sftp::kAttrTimes;
  made.attrs.permissions = S_IFREG | 0644;
  made.attrs.size = size_bytes;
  return made;
}

class ListingsTest : public ::testing::Test {
 protected:
  AttrToken token() { return AttrToken{++ticks_, Ordering::kIndependent, now_}; }
  Presence presence(const std::string& name) {
    return listings_.find(directory_, name, now_).presence;
  }

  Ticks ticks_{0};
  TimePoint now_{seconds(1000)};
  Inode directory_{2, S_IFDIR, ticks_};
  Inode other_{3, S_IFDIR, ticks_};
  Listings listings_{std::size_t{1} << 20};
};

TEST_F(ListingsTest, WithoutAListingNothingIsKnown) {
  EXPECT_EQ(presence("a"), Presence::kUnknown);
}

TEST_F(ListingsTest, AListingKnowsWhatIsThereAndWhatIsNot) {
  listings_.put(directory_, {entry("a", 77)}, token(), kLifetime, kLifetime);
  EXPECT_EQ(presence("b"), Presence::kAbsent);
  const NameAnswer answer = listings_.find(directory_, "a", now_);
  EXPECT_EQ(answer.presence, Presence::kPresent);
  EXPECT_EQ(answer.attrs.size, 77U);
  EXPECT_EQ(listings_.find(other_, "b", now_).presence, Presence::kUnknown);
}

TEST_F(ListingsTest, ItEndsWithItsLifetimeCountedFromTheQuestion) {
  const AttrToken asked = token();
  now_ += seconds(2);
  listings_.put(directory_, {}, asked, kLifetime, kLifetime);
  EXPECT_EQ(listings_.find(directory_, "a", now_).remaining, seconds(1));
  now_ += seconds(1);
  EXPECT_EQ(presence("a"), Presence::kUnknown);
  EXPECT_EQ(listings_.bytes(), 0U);
}

TEST_F(ListingsTest, ThatANameIsNotThereIsToldForAShorterTime) {
  listings_.put(directory_, {entry("a")}, token(), kLifetime, seconds(1));
  EXPECT_EQ(presence("b"), Presence::kAbsent);
  now_ += seconds(1);
  EXPECT_EQ(presence("b"), Presence::kUnknown);
  EXPECT_EQ(presence("a"), Presence::kPresent);
}

TEST_F(ListingsTest, ADirectoryMadeHereIsKnownForAsLongAsWeMakeNamesInIt) {
  listings_.put(directory_, {}, token(), seconds(1), seconds(1), Origin::kMadeHere);
  listings_.put(other_, {}, token(), seconds(1), seconds(1), Origin::kAsked);
  for (int i = 0; i < 10; ++i) {
    now_ += std::chrono::milliseconds(900);
    EXPECT_EQ(presence("a"), Presence::kAbsent);
    listings_.still_ours(directory_, now_ + seconds(1));
    listings_.still_ours(other_, now_ + seconds(1));
  }
  EXPECT_EQ(listings_.find(other_, "a", now_).presence, Presence::kUnknown);
  now_ += seconds(1);
  EXPECT_EQ(presence("a"), Presence::kUnknown);
}

TEST_F(ListingsTest, ItIsShownAsAWholeOnlyWhileEveryNameIsCertain) {
  EXPECT_FALSE(listings_.whole(directory_, now_));
  listings_.put(directory_, {entry("a", 1), entry("b", 2)}, token(), kLifetime, kLifetime);
  const std::optional<WholeListing> whole = listings_.whole(directory_, now_);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->entries.size(), 2U);
  listings_.removed(directory_, "a");
  EXPECT_EQ(listings_.whole(directory_, now_)->entries.size(), 1U);
  listings_.doubt(directory_, "b");
  EXPECT_FALSE(listings_.whole(directory_, now_));
}

TEST_F(ListingsTest, OurOwnChangesAreSeenAtOnce) {
  listings_.put(directory_, {entry("a")}, token(), kLifetime, kLifetime);
  listings_.made(directory_, "new");
  listings_.removed(directory_, "a");
  EXPECT_EQ(presence("new"), Presence::kUnknown);
  EXPECT_EQ(presence("a"), Presence::kAbsent);
  listings_.removed(directory_, "new");
  EXPECT_EQ(presence("new"), Presence::kAbsent);
}

TEST_F(ListingsTest, AListingAskedForBeforeAChangeIsNotKept) {
  const AttrToken asked = token();
  directory_.names_changed();
  listings_.put(directory_, {entry("a")}, asked, kLifetime, kLifetime);
  EXPECT_EQ(presence("b"), Presence::kUnknown);
}

TEST_F(ListingsTest, ADroppedListingIsGone) {
  listings_.put(directory_, {entry("a")}, token(), kLifetime, kLifetime);
  listings_.drop(directory_);
  EXPECT_EQ(presence("b"), Presence::kUnknown);
  EXPECT_EQ(listings_.bytes(), 0U);
}

TEST_F(ListingsTest, TheOneLongestNotUsedMakesRoom) {
  Listings small(2000);
  Inode third{4, S_IFDIR, ticks_};
  const std::vector<sftp::DirEntry> four{entry("a"), entry("b"), entry("c"), entry("d")};
  small.put(directory_, four, token(), kLifetime, kLifetime);
  small.put(other_, four, token(), kLifetime, kLifetime);
  EXPECT_EQ(small.find(directory_, "a", now_).presence, Presence::kPresent);
  small.put(third, four, token(), kLifetime, kLifetime);
  EXPECT_LE(small.bytes(), 2000U);
  EXPECT_EQ(small.find(directory_, "a", now_).presence, Presence::kPresent);
  EXPECT_EQ(small.find(other_, "a", now_).presence, Presence::kUnknown);
}

TEST_F(ListingsTest, OneThatIsTooLargeIsNotKept) {
  Listings small(2000);
  std::vector<sftp::DirEntry> many;
  for (int i = 0; i < 20; ++i) many.push_back(entry(std::to_string(i)));
  small.put(directory_, many, token(), kLifetime, kLifetime);
  EXPECT_EQ(small.find(directory_, "x", now_).presence, Presence::kUnknown);
  small.put(directory_, {}, token(), kLifetime, kLifetime);
  for (int i = 0; i < 20; ++i) small.made(directory_, std::to_string(i));
  EXPECT_LE(small.bytes(), 1000U);
}

}  // namespace
}  // namespace sftpfs::fs
