// Small files that are fetched before they are asked for, in simulated time.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "sim/opening.h"

namespace sftpfs::sim {
namespace {

using fs::EntryReply;
using fs::kRootInode;
using fs::OpenReply;

// Files of one directory, listed and then read.
class ReadingOn : public Opening {
 protected:
  explicit ReadingOn(const fs::Options& options = {}) : Opening(options) {}

  static constexpr int kFiles = 40;

  void make_files(const std::string& content = "content") {
    for (int i = 0; i < kFiles; ++i) wire_.add_file(path(i), content);
    wire_.wait(kMoreThanALifetime);
  }
  static std::string name(int i) { return fmt::format("f{:02}", i); }
  static std::string path(int i) { return "/srv/" + name(i); }
  void list() {
    const Result<OpenReply> opened = wire_.run(wire_.fs().opendir(op_, kRootInode));
    ASSERT_TRUE(opened);
    struct Sink final : fs::DirectorySink {
      bool add(const fs::DirectoryItem& /*item*/, const EntryReply* /*entry*/) override {
        return true;
      }
    } sink;
    EXPECT_TRUE(wire_.run(wire_.fs().readdir(op_, opened->handle, 0, true, sink)));
    EXPECT_TRUE(wire_.run(wire_.fs().releasedir(op_, opened->handle)));
  }
};

TEST_F(ReadingOn, OneFileAfterTheOtherCostsOneRoundTripForEach) {
  make_files();
  list();
  wire_.lap();
  for (int i = 0; i < kFiles; ++i) EXPECT_EQ(read_once(look(name(i))), "content");
  EXPECT_LE(wire_.lap(), 1.2 * kFiles);
}

TEST_F(ReadingOn, WhatChangesAfterItWasFetchedIsReadAnew) {
  make_files();
  list();
  for (int i = 0; i < 6; ++i) read_once(look(name(i)));
  wire_.wait(10);  // those ahead are here
  for (int i = 6; i < 12; ++i) put(path(i), "changed");
  for (int i = 6; i < 12; ++i) EXPECT_EQ(read_once(look(name(i))), "changed");
}

TEST_F(ReadingOn, WhatWasWrittenJustNowIsNotFetched) {
  for (int i = 0; i < kFiles; ++i) wire_.add_file(path(i), "content");
  list();
  for (int i = 0; i < 4; ++i) read_once(look(name(i)));
  wire_.wait(10);
  const std::uint64_t before = wire_.requests();
  read_once(look(name(4)));
  wire_.wait(10);
  EXPECT_EQ(wire_.requests(), before + 4);  // OPEN, LSTAT, READ, CLOSE
}

TEST_F(ReadingOn, WhoJumpsAboutHasNothingFetched) {
  make_files();
  list();
  wire_.wait(10);
  const std::uint64_t before = wire_.requests();
  int opened = 0;
  for (int i = 0; i < kFiles; ++i) {
    read_once(look(name((i * 17) % kFiles)));
    ++opened;
  }
  wire_.wait(10);
  EXPECT_EQ(wire_.requests() - before, static_cast<std::uint64_t>(4 * opened));
}

TEST_F(ReadingOn, WhoReadsTwoInARowAndLeavesMostOutIsLeftAlone) {
  make_files();
  list();
  for (int i = 0; i + 8 < kFiles; i += 8) {
    read_once(look(name(i)));
    read_once(look(name(i + 1)));
  }
  wire_.wait(10);
  const std::uint64_t before = wire_.requests();
  read_once(look(name(38)));
  read_once(look(name(39)));
  wire_.wait(10);
  EXPECT_EQ(wire_.requests() - before, 8U);
}

TEST_F(ReadingOn, WhatWasFetchedAndNeverAskedForIsForgottenAtTheEnd) {
  make_files();
  list();
  for (int i = 0; i < 6; ++i) {
    const std::uint64_t ino = look(name(i));
    read_once(ino);
  }
  wire_.wait(10);
  EXPECT_TRUE(wire_.run(wire_.fs().drain(op_)));
  for (const fs::InodeRef& inode : wire_.shared().inodes.all()) EXPECT_EQ(inode->io(), nullptr);
}

TEST_F(ReadingOn, WhatIsNotReadOnIsForgottenSoon) {
  constexpr unsigned kSevenSeconds = 700;
  make_files();
  list();
  for (const fs::InodeRef& inode : wire_.shared().inodes.all()) wire_.fs().forget(inode->id(), 1);
  for (int i = 0; i < 6; ++i) {
    const std::uint64_t ino = look(name(i));
    read_once(ino);
    wire_.fs().forget(ino, 1);
  }
  wire_.wait(10);
  EXPECT_GT(wire_.shared().inodes.all().size(), 1U);
  wire_.wait(kSevenSeconds);
  EXPECT_EQ(wire_.shared().inodes.all().size(), 1U);  // the root
}

TEST_F(ReadingOn, WhatIsCachedAndBelievedIsNotFetchedAgain) {
  make_files();
  list();
  for (int i = 10; i < 20; ++i) read_once(look(name(i)));
  wire_.wait(1000);  // that walk is over
  for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, look(name(i)))));
  list();
  for (int i = 0; i < 8; ++i) read_once(look(name(i)));
  wire_.wait(10);
  const std::uint64_t before = wire_.requests();
  read_once(look(name(8)));
  read_once(look(name(9)));
  wire_.wait(10);
  // OPEN, LSTAT and CLOSE of each, and nothing of those up to the nineteenth.
  EXPECT_EQ(wire_.requests() - before, 6U);
}

// The connection may be lost at any time of a fetch.
class ReadingOnOverALoss : public ReadingOn, public ::testing::WithParamInterface<unsigned> {
 protected:
  // And is there again.
  void lose_connection() {
    const std::size_t connections = wire_.connections();
    wire_.reconnect_to(32 << 10);
    while (wire_.connections() == connections) wire_.wait(1);
    wire_.wait(100);
  }
};

TEST_P(ReadingOnOverALoss, WhatWasBeingFetchedIsGivenUp) {
  make_files();
  lose_connection();
  const std::uint64_t greeting = wire_.requests();
  list();
  for (int i = 0; i < 3; ++i) read_once(look(name(i)));
  wire_.wait(10);
  for (int i = 3; i < 5; ++i) read_once(look(name(i)));
  wire_.wait_half(GetParam());
  lose_connection();
  EXPECT_EQ(wire_.requests(), greeting);
  for (int i = 5; i < kFiles; ++i) EXPECT_EQ(read_once(look(name(i))), "content");
}

INSTANTIATE_TEST_SUITE_P(, ReadingOnOverALoss, ::testing::Range(0U, 6U));

class ReadingOnUnasked : public ReadingOn {
 protected:
  ReadingOnUnasked() : ReadingOn(unasked()) {}
};

TEST_F(ReadingOnUnasked, TheSecondTimeNothingIsSent) {
  make_files();
  list();
  for (int i = 0; i < kFiles; ++i) EXPECT_EQ(read_once(look(name(i))), "content");
  wire_.wait(10);
  const std::uint64_t before = wire_.requests();
  for (int i = 0; i < kFiles; ++i) EXPECT_EQ(read_once(look(name(i))), "content");
  wire_.wait(10);
  EXPECT_EQ(wire_.requests(), before);
}

}  // namespace
}  // namespace sftpfs::sim
