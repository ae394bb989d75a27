// Readahead: every state of the detector, streams out of order, and the bounds of the window.
#include "fs/readahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sftpfs::fs {
namespace {

constexpr std::size_t kRead = 64 << 10;
constexpr std::size_t kBlock = 128 << 10;
constexpr std::size_t kWindow = 4 << 20;
constexpr std::uint64_t kFile = 1 << 30;
constexpr std::uint64_t kFar = 64 << 20;

struct Reader {
  Readahead::Plan read(std::uint64_t offset, std::size_t size = kRead) {
    return readahead.on_read(offset, size, file_size, kBlock, window_max);
  }
  Readahead readahead;
  std::uint64_t file_size = kFile;
  std::size_t window_max = kWindow;
};

bool fetches(const Readahead::Plan& plan) { return plan.ahead_to > plan.ahead_from; }

TEST(Readahead, AFirstReadAtTheBeginTakesItsBlockAndFetchesNothing) {
  Reader reader;
  const Readahead::Plan plan = reader.read(0);
  EXPECT_TRUE(plan.sequential);
  EXPECT_FALSE(fetches(plan));
}

TEST(Readahead, AFirstReadElsewhereIsRandom) {
  Reader reader;
  const Readahead::Plan plan = reader.read(kFar);
  EXPECT_FALSE(plan.sequential);
  EXPECT_FALSE(fetches(plan));
}

TEST(Readahead, TheSecondReadOfAStreamFetchesEightBlocks) {
  Reader reader;
  reader.read(0);
  const Readahead::Plan plan = reader.read(kRead);
  EXPECT_TRUE(plan.sequential);
  EXPECT_EQ(plan.ahead_from, 2 * kRead);
  EXPECT_EQ(plan.ahead_to, 2 * kRead + 8 * kBlock);
}

TEST(Readahead, AFirstReadOfAWholeBlockFetchesEightMore) {
  Reader reader;
  const Readahead::Plan plan = reader.read(0, kBlock);
  EXPECT_TRUE(plan.sequential);
  EXPECT_EQ(plan.ahead_from, kBlock);
  EXPECT_EQ(plan.ahead_to, 9 * kBlock);
}

TEST(Readahead, AJumpAwayFromAStreamIsRandom) {
  Reader reader;
  reader.read(0);
  reader.read(kRead);
  EXPECT_FALSE(reader.read(kFar).sequential);
  EXPECT_FALSE(reader.read(0).sequential) << "back again is a jump, too";
}

TEST(Readahead, AReadBehindARandomOneBeginsAStreamWithoutFetching) {
  Reader reader;
  reader.read(kFar);
  const Readahead::Plan probing = reader.read(kFar + kRead);
  EXPECT_TRUE(probing.sequential);
  EXPECT_FALSE(fetches(probing));
  EXPECT_TRUE(fetches(reader.read(kFar + 2 * kRead)));
}

TEST(Readahead, RandomReadsFetchNothing) {
  Reader reader;
  std::mt19937_64 random(1);
  std::uint64_t last = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::uint64_t offset = random() % kFile;
    // Far from the one before, or it is no jump.
    if (offset < last + (1 << 20) && offset + (1 << 20) > last) offset = (last + kFar) % kFile;
    if (i == 0) offset = kFar;
    const Readahead::Plan plan = reader.read(offset, 4096);
    EXPECT_FALSE(plan.sequential) << offset;
    EXPECT_FALSE(fetches(plan)) << offset;
    last = offset;
  }
}

// 4 KiB each, anywhere in a file so small that many come near the one before.
TEST(Readahead, SmallReadsAllOverASmallFileAreRandom) {
  constexpr std::uint64_t kSmallFile = 32 << 20;
  constexpr std::size_t kPage = 4096;
  std::mt19937_64 random(3);
  std::uint64_t asked = 0;
  std::uint64_t loaded = 0;
  for (int reader_number = 0; reader_number < 32; ++reader_number) {
    Reader reader;
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t offset = random() % (kSmallFile / kPage) * kPage;
      const Readahead::Plan plan = reader.read(offset, kPage);
      asked += kPage;
      loaded += plan.sequential ? kBlock : kPage;
      loaded += plan.ahead_to - plan.ahead_from;
    }
  }
  EXPECT_LE(loaded, asked + asked / 4);
}

TEST(Readahead, AFullWindowIsKeptNearlyFull) {
  Reader reader;
  std::uint64_t fetched_to = 0;
  for (std::uint64_t at = 0; at < (128 << 20); at += kRead) {
    const Readahead::Plan plan = reader.read(at);
    if (fetches(plan)) fetched_to = plan.ahead_to;
    if (at > (64 << 20)) {
      EXPECT_GE(fetched_to + kWindow / 8, at + kRead + kWindow);
    }
  }
}

TEST(Readahead, ReadingOnePlaceAgainAndAgainFetchesNothing) {
  Reader reader;
  reader.read(0);
  for (int i = 0; i < 100; ++i) {
    const Readahead::Plan plan = reader.read(0);
    EXPECT_TRUE(plan.sequential) << "the block serves the next one";
    EXPECT_FALSE(fetches(plan));
  }
}

// What a stream fetches in all: no byte twice, none left out, and how far ahead at most.
struct Fetched {
  std::uint64_t to = 0;
  std::uint64_t farthest = 0;  // ahead of the end of the read
  void note(const Readahead::Plan& plan, std::uint64_t end) {
    if (!fetches(plan)) return;
    if (to != 0) {
      EXPECT_EQ(plan.ahead_from, std::max(to, plan.ahead_from)) << "fetched twice";
    }
    to = plan.ahead_to;
    if (to > end) farthest = std::max(farthest, to - end);
  }
};

TEST(Readahead, AStreamIsFetchedOnceWithoutGaps) {
  Reader reader;
  Fetched fetched;
  for (std::uint64_t at = 0; at < (200 << 20); at += kRead) {
    const std::uint64_t before = fetched.to;
    const Readahead::Plan plan = reader.read(at);
    EXPECT_TRUE(plan.sequential);
    if (before != 0 && fetches(plan)) {
      EXPECT_EQ(plan.ahead_from, before);
    }
    fetched.note(plan, at + kRead);
    if (at >= 2 * kRead) {
      EXPECT_GE(fetched.to, at + kRead) << "the next read waits";
    }
  }
  EXPECT_LE(fetched.farthest, kWindow);
  EXPECT_GT(fetched.farthest, kWindow / 2) << "the window grows as far as it may";
}

TEST(Readahead, TheWindowGrowsFourfoldFromEightBlocks) {
  Reader reader;
  reader.read(0);
  std::size_t expected = 8 * kBlock;
  int growths = 0;
  for (std::uint64_t at = kRead; expected <= kWindow && at < (64 << 20); at += kRead) {
    const Readahead::Plan plan = reader.read(at);
    if (!fetches(plan)) continue;
    EXPECT_EQ(plan.ahead_to, at + kRead + expected);
    expected *= 4;
    ++growths;
  }
  EXPECT_EQ(growths, 2);  // 1 MiB and 4 MiB
}

TEST(Readahead, AShuffledStreamIsStillAStream) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    Reader reader;
    Fetched fetched;
    std::vector<std::uint64_t> offsets;
    for (std::uint64_t at = kRead; at < (32 << 20); at += kRead) offsets.push_back(at);
    // Each read at most two places from where it belongs, as several workers shuffle them.
    for (std::size_t i = 0; i + 2 < offsets.size(); i += 3) {
      std::shuffle(offsets.begin() + static_cast<long>(i),
                   offsets.begin() + static_cast<long>(i) + 3, random);
    }
    reader.read(0);
    std::uint64_t end = kRead;
    for (const std::uint64_t at : offsets) {
      const Readahead::Plan plan = reader.read(at);
      EXPECT_TRUE(plan.sequential) << at;
      end = std::max(end, at + kRead);
      fetched.note(plan, end);
    }
    EXPECT_GE(fetched.to, std::uint64_t{32} << 20);
    EXPECT_LE(fetched.farthest, kWindow);
  }
}

TEST(Readahead, NothingIsFetchedBehindTheEndOfTheFile) {
  Reader reader;
  reader.file_size = 10 * kRead + 1000;
  std::uint64_t fetched_to = 0;
  for (std::uint64_t at = 0; at < reader.file_size; at += kRead) {
    const Readahead::Plan plan = reader.read(at);
    if (!fetches(plan)) continue;
    EXPECT_LE(plan.ahead_to, reader.file_size);
    fetched_to = plan.ahead_to;
  }
  EXPECT_EQ(fetched_to, reader.file_size);
  EXPECT_FALSE(fetches(reader.read(reader.file_size)));
}

TEST(Readahead, AWindowThatShrinksIsObeyedAtOnce) {
  Reader reader;
  std::uint64_t at = 0;
  for (; at < (64 << 20); at += kRead) reader.read(at);
  reader.window_max = 2 * kBlock;
  for (const std::uint64_t end = at + (16 << 20); at < end; at += kRead) {
    const Readahead::Plan plan = reader.read(at);
    if (fetches(plan)) {
      EXPECT_LE(plan.ahead_to, at + kRead + 2 * kBlock);
    }
  }
}

TEST(Readahead, NoWindowMeansNoFetching) {
  Reader reader;
  reader.window_max = 0;
  for (std::uint64_t at = 0; at < (8 << 20); at += kRead) {
    const Readahead::Plan plan = reader.read(at);
    EXPECT_TRUE(plan.sequential);
    EXPECT_FALSE(fetches(plan));
  }
}

TEST(Readahead, AReaderThatOvertakesItsWindowFetchesOnlyWhatLiesAhead) {
  Reader reader;
  reader.read(0);
  reader.read(kRead);
  // Reads larger than the window.
  std::uint64_t at = 2 * kRead;
  for (int i = 0; i < 10; ++i, at += 1 << 20) {
    const Readahead::Plan plan = reader.read(at, 1 << 20);
    EXPECT_TRUE(plan.sequential);
    if (fetches(plan)) {
      EXPECT_GE(plan.ahead_from, at + (1 << 20));
    }
  }
}

TEST(Readahead, AtTheLargestOffsetNothingOverflows) {
  Reader reader;
  reader.file_size = UINT64_MAX;
  const std::uint64_t last = std::uint64_t{INT64_MAX} - 4 * kRead;
  EXPECT_FALSE(reader.read(last).sequential);
  reader.read(last + kRead);
  const Readahead::Plan plan = reader.read(last + 2 * kRead);
  EXPECT_TRUE(plan.sequential);
  EXPECT_GE(plan.ahead_to, plan.ahead_from);
}

}  // namespace
}  // namespace sftpfs::fs
