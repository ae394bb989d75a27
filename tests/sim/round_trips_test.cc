// How many round trips a caller waits for: the kernel's calls of each operation, one by one, on a
// line with a fixed round trip.
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

using fs::EntryReply;
using fs::kRootInode;
using fs::OpenReply;

class RoundTrips : public ::testing::Test {
 protected:
  // The calls of the kernel; each must succeed.
  std::uint64_t look(std::uint64_t parent, const std::string& name) {
    const Result<EntryReply> entry = wire_.run(wire_.fs().lookup(op_, parent, name));
    EXPECT_TRUE(entry) << name;
    return entry ? entry->ino : 0;
  }
  std::uint64_t mkdir(std::uint64_t parent, const std::string& name) {
    const Result<EntryReply> made = wire_.run(wire_.fs().mkdir(op_, parent, name, 0755));
    EXPECT_TRUE(made) << name;
    return made ? made->ino : 0;
  }
  fs::CreateReply create(std::uint64_t parent, const std::string& name) {
    const Result<fs::CreateReply> made =
        wire_.run(wire_.fs().create(op_, parent, name, 0644, O_WRONLY | O_CREAT | O_EXCL));
    EXPECT_TRUE(made) << name;
    return made ? *made : fs::CreateReply();
  }
  void write(std::uint64_t handle, std::uint64_t offset, std::size_t size_bytes) {
    auto buffer = std::make_shared<std::byte[]>(size_bytes);
    const SharedBytes data(buffer, ByteSpan(buffer.get(), size_bytes));
    const Result<std::size_t> written = wire_.run(wire_.fs().write(op_, handle, offset, data));
    EXPECT_TRUE(written);
  }
  // What close(2) waits for; the kernel releases the handle afterwards.
  void close(std::uint64_t handle) {
    EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle)));
    closed_.push_back(handle);
  }
  void release_closed() {
    for (const std::uint64_t handle : std::exchange(closed_, {})) {
      EXPECT_TRUE(wire_.run(wire_.fs().release(op_, handle)));
    }
  }
  // `ls -l`: every name with its attributes; yields how many.
  std::size_t list(std::uint64_t directory) {
    const Result<OpenReply> open = wire_.run(wire_.fs().opendir(op_, directory));
    EXPECT_TRUE(open);
    if (!open) return 0;
    Names names;
    EXPECT_TRUE(wire_.run(wire_.fs().readdir(op_, open->handle, 0, true, names)));
    EXPECT_TRUE(wire_.run(wire_.fs().releasedir(op_, open->handle)));
    for (const std::uint64_t ino : names.inodes) {
      EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino)));
    }
    return names.inodes.size();
  }

  int walk(std::uint64_t directory, int depth) {
    list(directory);
    int count = 1;
    for (int i = 0; i < 5; ++i) {
      const std::uint64_t child = depth < 3 ? look(directory, std::to_string(i)) : 0;
      if (child != 0) count += walk(child, depth + 1);
    }
    return count;
  }

  struct Names final : fs::DirectorySink {
    bool add(const fs::DirectoryItem& item, const EntryReply* entry) override {
      if (item.name == "." || item.name == "..") return true;
      EXPECT_NE(entry, nullptr) << item.name << " has no attributes";
      if (entry != nullptr) inodes.push_back(entry->ino);
      return true;
    }
    std::vector<std::uint64_t> inodes;
  };

  Stopwatch wire_;
  fs::OperationContext op_;
  std::vector<std::uint64_t> closed_;
};

TEST_F(RoundTrips, ANameThatIsNotThereCostsOneUntilTheDirectoryIsListed) {
  EXPECT_EQ(look(kRootInode, "missing"), 0U);
  EXPECT_EQ(wire_.lap(), 1);
  list(kRootInode);
  wire_.lap();
  EXPECT_EQ(look(kRootInode, "missing"), 0U);
  EXPECT_EQ(look(kRootInode, "another"), 0U);
  EXPECT_EQ(wire_.lap(), 0);
}

TEST_F(RoundTrips, InADirectoryJustMadeNoNameIsAskedFor) {
  const std::uint64_t directory = mkdir(kRootInode, "d");
  wire_.lap();
  EXPECT_EQ(look(directory, "missing"), 0U);
  EXPECT_EQ(wire_.lap(), 0);
}

TEST_F(RoundTrips, AfterAFewNamesTheDirectoryIsListedAndThoseThereCostNothing) {
  for (int i = 0; i < 20; ++i) wire_.add_file(fmt::format("/srv/{:02}", i), "x");
  for (int i = 0; i < 20; ++i) EXPECT_NE(look(kRootInode, fmt::format("{:02}", i)), 0U);
  EXPECT_LE(wire_.lap(), 6);
}

TEST_F(RoundTrips, NamesLookedForInVainOverAndOverCostNothing) {
  constexpr int kNames = 10;
  const auto look_for_all = [this] {
    for (int i = 0; i < kNames; ++i) EXPECT_EQ(look(kRootInode, fmt::format("no{}", i)), 0U);
  };
  look_for_all();
  EXPECT_EQ(wire_.lap(), kNames);
  for (int i = 0; i < 100; ++i) look_for_all();
  EXPECT_EQ(wire_.lap(), 0);
}

// Others may have made it just now, for somebody who waits for it here.
TEST_F(RoundTrips, ANewNameIsAskedForInADirectoryThatNobodyHereHasListed) {
  for (int i = 0; i < 10; ++i) look(kRootInode, fmt::format("no{}", i));
  wire_.add_file("/srv/new", "x");
  EXPECT_NE(look(kRootInode, "new"), 0U);
}

TEST_F(RoundTrips, ADirectoryTooLargeToBeKeptIsNotListedForItsNamesAgainAndAgain) {
  for (int i = 0; i < 3000; ++i) wire_.add_file(fmt::format("/srv/{:04}", i), "x");
  for (int i = 0; i < 10; ++i) look(kRootInode, fmt::format("{:04}", i));
  wire_.wait(400);  // longer than a lifetime
  const std::uint64_t before = wire_.requests();
  for (int i = 20; i < 30; ++i) look(kRootInode, fmt::format("{:04}", i));
  wire_.wait(10);
  EXPECT_EQ(wire_.requests() - before, 10U);
}

TEST_F(RoundTrips, WhatWasListedIsNotAskedForAgain) {
  wire_.add_file("/srv/a", "content");
  list(kRootInode);
  wire_.lap();
  const std::uint64_t ino = look(kRootInode, "a");
  EXPECT_NE(ino, 0U);
  EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino)));
  EXPECT_EQ(wire_.lap(), 0);
}

TEST_F(RoundTrips, EachChangeOfANameCostsOne) {
  list(kRootInode);
  wire_.lap();
  look(kRootInode, "d");
  const std::uint64_t directory = mkdir(kRootInode, "d");
  EXPECT_EQ(wire_.lap(), 1);
  look(directory, "l");
  EXPECT_TRUE(wire_.run(wire_.fs().symlink(op_, "target", directory, "l")));
  EXPECT_EQ(wire_.lap(), 1);
  EXPECT_TRUE(wire_.run(wire_.fs().rename(op_, directory, "l", kRootInode, "m", 0)));
  EXPECT_EQ(wire_.lap(), 1);
  EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, kRootInode, "m")));
  EXPECT_EQ(wire_.lap(), 1);
  EXPECT_EQ(look(kRootInode, "m"), 0U);
  EXPECT_TRUE(wire_.run(wire_.fs().rmdir(op_, kRootInode, "d")));
  EXPECT_EQ(wire_.lap(), 1);
  EXPECT_EQ(look(kRootInode, "d"), 0U);
  EXPECT_EQ(wire_.lap(), 0);
}

TEST_F(RoundTrips, ALinkCostsOne) {
  wire_.add_file("/srv/a", "content");
  list(kRootInode);
  const std::uint64_t ino = look(kRootInode, "a");
  wire_.lap();
  EXPECT_EQ(look(kRootInode, "b"), 0U);
  EXPECT_TRUE(wire_.run(wire_.fs().link(op_, ino, kRootInode, "b")));
  EXPECT_EQ(wire_.lap(), 1);
}

TEST_F(RoundTrips, ChmodAndTouchOfAKnownFileCostOneEach) {
  wire_.add_file("/srv/a", "content");
  list(kRootInode);
  const std::uint64_t ino = look(kRootInode, "a");
  wire_.lap();
  fs::SetAttr mode;
  mode.has_mode = true;
  mode.mode = 0600;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, mode, 0)));
  EXPECT_EQ(wire_.lap(), 1);
  fs::SetAttr times;
  times.has_mtime = times.has_atime = true;
  times.mtime.seconds = times.atime.seconds = 12345;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, times, 0)));
  EXPECT_EQ(wire_.lap(), 1);
}

TEST_F(RoundTrips, CreateWriteAndCloseCostTwo) {
  const std::uint64_t directory = mkdir(kRootInode, "d");
  wire_.lap();
  look(directory, "f");
  const fs::CreateReply made = create(directory, "f");
  EXPECT_EQ(wire_.lap(), 1);
  write(made.open.handle, 0, 4096);
  close(made.open.handle);
  EXPECT_EQ(wire_.lap(), 1);
  release_closed();
}

// As tar sets it: the time of access is left alone.
TEST_F(RoundTrips, TheTimeOfAFileJustWrittenCostsOne) {
  wire_.add_file("/srv/a", "content");
  const std::uint64_t ino = look(kRootInode, "a");
  const Result<OpenReply> open = wire_.run(wire_.fs().open(op_, ino, O_WRONLY));
  ASSERT_TRUE(open);
  write(open->handle, 0, 4096);
  wire_.lap();
  fs::SetAttr time;
  time.has_mtime = true;
  time.mtime.seconds = 12345;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, time, 0)));
  EXPECT_EQ(wire_.lap(), 1);
  close(open->handle);
  release_closed();
}

// As tar and cp -p make files.
TEST_F(RoundTrips, AFileMadeWithItsOwnerModeAndTimesCostsTwo) {
  wire_.lap();
  const fs::CreateReply made = create(kRootInode, "a");
  write(made.open.handle, 0, 4096);
  const std::uint64_t ino = made.entry.ino;
  fs::SetAttr time;
  time.has_mtime = true;
  time.mtime.seconds = 12345;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, time, 0)));
  fs::SetAttr owner;
  owner.has_uid = owner.has_gid = true;
  owner.uid = made.entry.attr.uid;
  owner.gid = made.entry.attr.gid;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, owner, 0)));
  fs::SetAttr mode;
  mode.has_mode = true;
  mode.mode = 0640;
  const Result<fs::AttrReply> shown = wire_.run(wire_.fs().setattr(op_, ino, mode, 0));
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->attr.mode & 07777U, 0640U);
  EXPECT_EQ(shown->attr.mtime.seconds, 12345);
  EXPECT_EQ(shown->attr.size, 4096U);
  close(made.open.handle);
  EXPECT_EQ(wire_.lap(), 2);
  const Result<fs::AttrReply> kept = wire_.run(wire_.fs().getattr(op_, ino));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->attr.mode & 07777U, 0640U);
  EXPECT_EQ(kept->attr.mtime.seconds, 12345);
  release_closed();
}

// Nothing is lost in silence: the first refusal is told by close(2), the next ones at once.
TEST(RoundTripsOfAServerWithoutModes, ARefusalIsToldByCloseAndThenAtOnce) {
  ServerConfig config;
  config.keeps_attrs = false;
  Stopwatch wire(config);
  fs::OperationContext op;
  fs::SetAttr mode;
  mode.has_mode = true;
  mode.mode = 0600;
  for (const char* name : {"first", "second"}) {
    const bool first = std::string(name) == "first";
    const Result<fs::CreateReply> made =
        wire.run(wire.fs().create(op, kRootInode, name, 0644, O_WRONLY | O_CREAT | O_EXCL));
    ASSERT_TRUE(made);
    const Result<fs::AttrReply> set = wire.run(wire.fs().setattr(op, made->entry.ino, mode, 0));
    EXPECT_EQ(set.has_value(), first);
    EXPECT_EQ(wire.run(wire.fs().flush(op, made->open.handle)).has_value(), !first);
    EXPECT_TRUE(wire.run(wire.fs().flush(op, made->open.handle)));
    const Result<fs::AttrReply> shown = wire.run(wire.fs().getattr(op, made->entry.ino));
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->attr.mode & 07777U, 0644U);
    EXPECT_TRUE(wire.run(wire.fs().release(op, made->open.handle)));
  }
}

TEST_F(RoundTrips, WhatIsWrittenBehindAChangeOfTheModeComesBehindIt) {
  const fs::CreateReply made = create(kRootInode, "a");
  fs::SetAttr mode;
  mode.has_mode = true;
  for (const std::uint32_t bits : {0600U, 0400U, 0640U}) {
    mode.mode = bits;
    EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, made.entry.ino, mode, 0)));
  }
  write(made.open.handle, 0, 10);
  mode.mode = 0604;
  EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, made.entry.ino, mode, 0)));
  close(made.open.handle);
  release_closed();
  wire_.wait(400);
  const Result<fs::AttrReply> kept = wire_.run(wire_.fs().getattr(op_, made.entry.ino));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->attr.mode & 07777U, 0604U);
}

TEST_F(RoundTrips, OpenReadAndCloseOfASmallFileCostTwo) {
  wire_.add_file("/srv/a", std::string(4000, 'x'));
  list(kRootInode);
  const std::uint64_t ino = look(kRootInode, "a");
  wire_.lap();
  const Result<OpenReply> open = wire_.run(wire_.fs().open(op_, ino, O_RDONLY));
  ASSERT_TRUE(open);
  EXPECT_TRUE(wire_.run(wire_.fs().read(op_, open->handle, 0, 4096)));
  close(open->handle);
  EXPECT_EQ(wire_.lap(), 2);
  release_closed();
}

// OPENDIR, then READDIRs in a growing window: 2, 4, 8 of 100 names each.
TEST_F(RoundTrips, ListingAThousandNamesCostsTheListingAlone) {
  for (int i = 0; i < 1000; ++i) wire_.add_file(fmt::format("/srv/{:04}", i), "x");
  EXPECT_EQ(list(kRootInode), 1000U);
  EXPECT_LE(wire_.lap(), 5);
}

// find(1): lists a directory, then goes down into each of its directories.
TEST_F(RoundTrips, AWalkThroughFortyFiveDirectoriesCostsLessThanAThirdForEach) {
  constexpr int kWidths[] = {5, 2, 3};
  for (int a = 0; a < kWidths[0]; ++a) {
    const std::string first = fmt::format("/srv/{}", a);
    wire_.tree().mkdir(first, 0755, wire_.now_s());
    for (int b = 0; b < kWidths[1]; ++b) {
      const std::string second = fmt::format("{}/{}", first, b);
      wire_.tree().mkdir(second, 0755, wire_.now_s());
      for (int c = 0; c < kWidths[2]; ++c) {
        const std::string third = fmt::format("{}/{}", second, c);
        wire_.tree().mkdir(third, 0755, wire_.now_s());
        wire_.add_file(third + "/file", "content");
      }
    }
  }
  const int count = walk(kRootInode, 0);
  EXPECT_EQ(count, 1 + 5 + 10 + 30);
  EXPECT_LE(wire_.lap(), 0.3 * count);
}

// A shell user looks at one directory of many now and then.
TEST_F(RoundTrips, GuessingWhatIsListedNextEndsWhenItWasWrong) {
  constexpr int kDirectories = 50;
  for (int i = 0; i < kDirectories; ++i) {
    wire_.tree().mkdir(fmt::format("/srv/{}", i), 0755, wire_.now_s());
  }
  const auto requests_of_a_visit = [this] {
    const std::uint64_t before = wire_.requests();
    list(kRootInode);
    list(look(kRootInode, "0"));
    wire_.wait(1000);  // longer than any lifetime
    return wire_.requests() - before;
  };
  const std::uint64_t at_first = requests_of_a_visit();
  for (int i = 0; i < 20; ++i) requests_of_a_visit();
  const std::uint64_t in_the_end = requests_of_a_visit();
  EXPECT_GE(at_first, in_the_end + 20);
  EXPECT_LE(in_the_end, 15U);
}

TEST_F(RoundTrips, ListingFilesAgainWhileAnotherIsAppendedToCostsNothing) {
  for (int i = 0; i < 20; ++i) wire_.add_file(fmt::format("/srv/{:02}", i), "x");
  list(kRootInode);
  look(kRootInode, "log");
  const fs::CreateReply log = create(kRootInode, "log");
  std::vector<std::uint64_t> inodes;
  for (int i = 0; i < 20; ++i) inodes.push_back(look(kRootInode, fmt::format("{:02}", i)));
  wire_.lap();
  for (const std::uint64_t ino : inodes) {
    write(log.open.handle, 0, 100);
    EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino)));
  }
  EXPECT_EQ(wire_.lap(), 0);
  close(log.open.handle);
  release_closed();
}

}  // namespace
}  // namespace sftpfs::sim
