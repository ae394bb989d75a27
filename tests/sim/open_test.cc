// What open(2) asks the server, and what of a file it lets stay in memory, in simulated time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <string>

#include "sim/opening.h"

namespace sftpfs::sim {
namespace {

using fs::kRootInode;

constexpr unsigned kHalfASecond = 50;  // round trips

TEST_F(Opening, AFileChangedTwiceInASecondAndReadInBetweenIsReadAnewLater) {
  wire_.add_file("/srv/a", "old");
  const std::uint64_t ino = look("a");
  EXPECT_EQ(read_once(ino), "old");
  put("/srv/a", "new");
  EXPECT_EQ(read_once(ino), "new");
  put("/srv/a", "NEW");
  wire_.wait(kMoreThanALifetime);
  EXPECT_EQ(read_once(ino), "NEW");
}

TEST_F(Opening, AFileThatRestsIsReadOnceAndAskedForAtEachOpen) {
  wire_.add_file("/srv/a", "text");
  wire_.wait(kMoreThanALifetime);
  const std::uint64_t ino = look("a");
  read_once(ino);
  wire_.lap();
  EXPECT_EQ(read_once(ino), "text");
  EXPECT_EQ(wire_.lap(), 1);
}

TEST_F(Opening, WhatHasRestedForLongIsBelievedForLonger) {
  constexpr unsigned kTenSeconds = 1000;
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  const auto stat_costs = [this, ino] {
    wire_.wait(kTenSeconds);
    wire_.lap();
    EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino)));
    return wire_.lap();
  };
  EXPECT_EQ(stat_costs(), 1);
  for (int i = 0; i < 20; ++i) stat_costs();  // 200 s and more
  stat_costs();
  const double first = stat_costs();
  const double second = stat_costs();
  EXPECT_EQ(first + second, 1);  // every 20 s
}

class OpeningUnasked : public Opening {
 protected:
  OpeningUnasked() : Opening(unasked()) {}
};

TEST_F(OpeningUnasked, ACachedFileIsReadAgainWithoutTheServer) {
  wire_.add_file("/srv/a", "text");
  wire_.add_file("/srv/empty", "");
  for (const char* name : {"a", "empty"}) {
    const std::uint64_t ino = look(name);
    const std::string content = read_once(ino);
    const std::uint64_t before = wire_.requests();
    wire_.lap();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(read_once(ino), content);
    EXPECT_EQ(wire_.lap(), 0);
    wire_.wait(1);
    EXPECT_EQ(wire_.requests(), before + 1);  // the CLOSE of the first
  }
}

TEST_F(OpeningUnasked, AChangeShowsWhenTheLifetimeIsOver) {
  wire_.add_file("/srv/a", "old");
  const std::uint64_t ino = look("a");
  EXPECT_EQ(read_once(ino), "old");
  put("/srv/a", "new");
  wire_.wait(kMoreThanALifetime);
  EXPECT_EQ(read_once(ino), "new");
  put("/srv/a", "NEW");  // in the same second
  wire_.wait(kMoreThanALifetime);
  EXPECT_EQ(read_once(ino), "NEW");
}

TEST_F(OpeningUnasked, WhatIsNotCachedAnyMoreIsReadBehindAnOpenOfItsOwn) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  wire_.shared().inodes.find(ino)->new_generation();
  EXPECT_EQ(read(handle), "text");
  EXPECT_EQ(read(handle), "text");
  close(handle);
}

enum class Loss { kRemoved, kReplaced };

class OpeningUnaskedAndLosingTheName : public OpeningUnasked,
                                       public ::testing::WithParamInterface<Loss> {};

TEST_P(OpeningUnaskedAndLosingTheName, TheFileCanStillBeRead) {
  wire_.add_file("/srv/a", "text");
  wire_.add_file("/srv/b", "other");
  const std::uint64_t ino = look("a");
  look("b");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  if (GetParam() == Loss::kRemoved) {
    EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, kRootInode, "a")));
  } else {
    EXPECT_TRUE(wire_.run(wire_.fs().rename(op_, kRootInode, "b", kRootInode, "a", 0)));
  }
  wire_.shared().inodes.find(ino)->new_generation();
  EXPECT_EQ(read(handle), "text");
  close(handle);
}

std::string name_of_loss(const ::testing::TestParamInfo<Loss>& info) {
  return info.param == Loss::kRemoved ? "Removed" : "Replaced";
}

INSTANTIATE_TEST_SUITE_P(, OpeningUnaskedAndLosingTheName,
                         ::testing::Values(Loss::kRemoved, Loss::kReplaced), name_of_loss);

TEST_F(OpeningUnasked, AFileRemovedByOthersBeforeItWasReadIsStale) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  EXPECT_EQ(wire_.tree().unlink("/srv/a", wire_.now_s()), 0);
  wire_.shared().inodes.find(ino)->new_generation();
  const Result<fs::ReadReply> got = wire_.run(wire_.fs().read(op_, handle, 0, 100));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().os_errno(), ESTALE);
  close(handle);
}

TEST_F(OpeningUnasked, ItsContentMayBeAnothersByTheTimeItIsRead) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  wire_.wait(kHalfASecond);
  put("/srv/a", "TEXT");
  wire_.shared().inodes.find(ino)->new_generation();
  EXPECT_EQ(read(handle), "TEXT");
  close(handle);
}

// Only the server knows who may read.
TEST_F(OpeningUnasked, AFileThatNotEverybodyMayReadIsAskedForOnce) {
  wire_.add_file("/srv/a", "text");
  set_mode("/srv/a", 0600);
  const std::uint64_t ino = look("a");
  read_once(ino);
  wire_.lap();
  EXPECT_EQ(read_once(ino), "text");
  EXPECT_EQ(wire_.lap(), 0);
  set_mode("/srv/a", 0640);
  wire_.wait(kMoreThanALifetime);
  EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino)));
  wire_.lap();
  read_once(ino);
  EXPECT_GE(wire_.lap(), 1);
}

TEST_F(OpeningUnasked, WhoWritesOrTruncatesAsks) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC}) {
    wire_.lap();
    close(open(ino, flags));
    EXPECT_EQ(wire_.lap(), 1) << flags;
  }
}

TEST_F(OpeningUnasked, AWriterBesideAReaderThatNeverAskedSeesItsOwnBytes) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  const std::uint64_t reader = open(ino);
  const std::uint64_t writer = open(ino, O_WRONLY);
  auto buffer = std::make_shared<std::byte[]>(4);
  std::memcpy(buffer.get(), "TEXT", 4);
  const SharedBytes data(buffer, ByteSpan(buffer.get(), 4));
  EXPECT_TRUE(wire_.run(wire_.fs().write(op_, writer, 0, data)));
  EXPECT_EQ(read(reader), "TEXT");
  close(writer);
  close(reader);
}

}  // namespace
}  // namespace sftpfs::sim
