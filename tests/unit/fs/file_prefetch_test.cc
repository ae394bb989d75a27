// Which files are fetched, how many at a time, and what is kept of directories; nothing is read.
#include "fs/file_prefetch.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace sftpfs::fs {
namespace {

using std::chrono::seconds;
using Ending = FilePrefetch::Ending;

class FilePrefetchTest : public ::testing::Test {
 protected:
  FilePrefetchTest() { clock_.advance(seconds(1'000'000)); }

  static std::string name(int number) { return fmt::format("f{:04}", number); }

  // A directory that was listed just now, with so many files that rest.
  InodeRef directory(const std::string& called, int files, const std::string& name_end = {}) {
    const InodeRef made = shared_.inodes.enter(shared_.inodes.root(), called, S_IFDIR);
    std::vector<sftp::DirEntry> entries;
    for (int i = 0; i < files; ++i) {
      sftp::DirEntry entry;
      entry.name = name(i) + name_end;
      entry.attrs.flags = sftp::kAttrSize | sftp::kAttrPermissions | sftp::kAttrTimes;
      entry.attrs.permissions = S_IFREG | 0644;
      entry.attrs.size = 1000;
      entries.push_back(std::move(entry));
    }
    shared_.listings.put(*made, entries, shared_.token(Ordering::kIndependent), seconds(60),
                         seconds(1));
    return made;
  }
  void open(const InodeRef& in, int number, const std::string& name_end = {}) {
    const InodeRef file = shared_.inodes.enter(in, name(number) + name_end, S_IFREG);
    prefetch_.opening(file);
    shared_.inodes.forget(file->id(), 1);
  }
  void fetch(FilePrefetch::Held file) {
    under_way_.push_back(std::move(file));
    most_ = std::max(most_, under_way_.size());
    if (on_fetch_) on_fetch_();
  }
  void end_all(Ending ending = Ending::kRead) {
    std::vector<FilePrefetch::Held> ended;
    ended.swap(under_way_);
    for (const FilePrefetch::Held& each : ended) prefetch_.ended(*each->inode(), ending);
  }

  ManualClock clock_;
  Shared shared_{Options(), clock_, nullptr};
  FilePrefetch prefetch_{shared_, [this](FilePrefetch::Held file) { fetch(std::move(file)); }};
  std::vector<FilePrefetch::Held> under_way_;
  std::size_t most_ = 0;
  std::function<void()> on_fetch_;
};

TEST_F(FilePrefetchTest, WhoOpensTwoInARowHasTheNextOnesFetched) {
  const InodeRef d = directory("d", 36);
  open(d, 0);
  EXPECT_TRUE(under_way_.empty());
  open(d, 1);
  open(d, 2);
  EXPECT_FALSE(under_way_.empty());
}

TEST_F(FilePrefetchTest, NoMoreAreUnderWayThanTheLimitAllowsHoweverManyDirectoriesAreRead) {
  std::vector<InodeRef> directories;
  for (int i = 0; i < 16; ++i) directories.push_back(directory(fmt::format("d{}", i), 36));
  for (int i = 0; i < 8; ++i) {
    for (const InodeRef& each : directories) open(each, i);
  }
  EXPECT_EQ(most_, FilePrefetch::kFetchesMax);
  EXPECT_EQ(under_way_.size(), FilePrefetch::kFetchesMax);
  // There is room again as soon as they have ended, however they have.
  for (const Ending ending : {Ending::kRead, Ending::kGivenUp}) {
    end_all(ending);
    for (const InodeRef& each : directories) open(each, ending == Ending::kRead ? 8 : 9);
    EXPECT_EQ(under_way_.size(), FilePrefetch::kFetchesMax);
  }
  EXPECT_EQ(most_, FilePrefetch::kFetchesMax);
}

TEST_F(FilePrefetchTest, WhatNeedsNoFetchingTakesNoRoom) {
  const InodeRef d = directory("d", 200);
  std::vector<InodeRef> open_files;
  for (int i = 0; i < 200; ++i) {
    const InodeRef file = shared_.inodes.enter(d, name(i), S_IFREG);
    file->change_begins(Change::kContent);
    open_files.push_back(file);
  }
  for (int i = 0; i < 100; ++i) open(d, i);
  EXPECT_TRUE(under_way_.empty());
  for (const InodeRef& file : open_files) file->change_ends();
  for (int i = 100; i < 150; ++i) open(d, i);
  EXPECT_EQ(under_way_.size(), FilePrefetch::kFetchesMax);
}

TEST_F(FilePrefetchTest, AFewRefusalsEndTheGuessing) {
  const InodeRef d = directory("d", 36);
  for (int i = 0; i < 4; ++i) open(d, i);
  ASSERT_GE(under_way_.size(), 4U);
  end_all(Ending::kRefused);
  for (int i = 4; i < 8; ++i) open(d, i);
  EXPECT_TRUE(under_way_.empty());
}

TEST_F(FilePrefetchTest, TheRecordOfADirectoryMayBeReplacedWhileFilesAreBeingChosenByIt) {
  const InodeRef d = directory("d", 36);
  on_fetch_ = [this, &d] {
    on_fetch_ = nullptr;
    prefetch_.clear();
    open(d, 20);  // begins another one
  };
  for (int i = 0; i < 4; ++i) open(d, i);
  EXPECT_FALSE(on_fetch_);
  end_all();
  // Nothing of that counts as under way.
  for (int i = 4; i < 36; ++i) open(d, i);
  EXPECT_GT(under_way_.size(), 16U);
}

TEST_F(FilePrefetchTest, WhatIsKnownOfDirectoriesIsBounded) {
  const std::string long_end(200, 'x');
  for (int i = 0; i < 40; ++i) {
    const InodeRef d = directory(fmt::format("d{}", i), 2000, long_end);
    for (int at = 0; at < 3; ++at) open(d, at, long_end);
    EXPECT_LE(prefetch_.bytes(), std::size_t{4} << 20);
  }
  EXPECT_GT(prefetch_.bytes(), std::size_t{3} << 20);
}

TEST_F(FilePrefetchTest, OneMoreDirectoryTakesThePlaceOfTheOneLongestNotRead) {
  std::vector<InodeRef> directories;
  for (int i = 0; i < 17; ++i) directories.push_back(directory(fmt::format("d{}", i), 36));
  for (int at = 0; at < 2; ++at) {
    for (int i = 0; i < 16; ++i) open(directories[static_cast<std::size_t>(i)], at);
    clock_.advance(std::chrono::milliseconds(1));
  }
  const std::size_t sixteen = prefetch_.bytes();
  open(directories[16], 0);
  EXPECT_EQ(prefetch_.bytes(), sixteen / 16 * 15);
}

TEST_F(FilePrefetchTest, WhatNobodyGoesOnWithIsForgottenWithoutAnybodyAsking) {
  runtime::Loop& loop = shared_.pool.workers().front()->loop();
  const InodeRef d = directory("d", 36);
  for (int i = 0; i < 3; ++i) open(d, i);
  EXPECT_GT(prefetch_.bytes(), 0U);
  for (int i = 0; i < 7; ++i) {
    while (loop.run_ready()) {
    }
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(prefetch_.bytes(), 0U);
  // And again.
  for (int i = 0; i < 3; ++i) open(d, i);
  EXPECT_GT(prefetch_.bytes(), 0U);
  for (int i = 0; i < 7; ++i) {
    while (loop.run_ready()) {
    }
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(prefetch_.bytes(), 0U);
}

}  // namespace
}  // namespace sftpfs::fs
