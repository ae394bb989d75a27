// What open(2) asks the server, and what of a file it lets stay in memory, in simulated time.
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <string>

#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

using fs::EntryReply;
using fs::kRootInode;
using fs::OpenReply;

constexpr unsigned kHalfASecond = 50;  // round trips
constexpr unsigned kMoreThanALifetime = 400;

class Opening : public ::testing::Test {
 protected:
  explicit Opening(const fs::Options& options = {}) : wire_(ServerConfig(), options) {}

  std::uint64_t look(const std::string& name) {
    const Result<EntryReply> entry = wire_.run(wire_.fs().lookup(op_, kRootInode, name));
    EXPECT_TRUE(entry && entry->ino != 0) << name;
    return entry ? entry->ino : 0;
  }
  std::uint64_t open(std::uint64_t ino, int flags = O_RDONLY) {
    const Result<OpenReply> opened = wire_.run(wire_.fs().open(op_, ino, flags));
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().describe());
    return opened ? opened->handle : 0;
  }
  std::string read(std::uint64_t handle, std::size_t size_bytes = 64 << 10) {
    const Result<fs::ReadReply> got = wire_.run(wire_.fs().read(op_, handle, 0, size_bytes));
    EXPECT_TRUE(got) << (got ? "" : got.error().describe());
    std::string bytes;
    if (!got) return bytes;
    for (const iovec& piece : got->pieces) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    return bytes;
  }
  void close(std::uint64_t handle) {
    EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle)));
    EXPECT_TRUE(wire_.run(wire_.fs().release(op_, handle)));
  }
  std::string read_once(std::uint64_t ino) {
    const std::uint64_t handle = open(ino);
    std::string bytes = read(handle);
    close(handle);
    return bytes;
  }
  // By somebody on the server.
  void put(const std::string& path, const std::string& content) {
    ModelRef file;
    ASSERT_EQ(wire_.tree().find(path, false, file), 0);
    ModelTree::truncate(*file, 0, wire_.now_s());
    ModelTree::write(*file, 0, content, wire_.now_s());
  }
  void set_mode(const std::string& path, std::uint32_t mode) {
    ModelRef file;
    ASSERT_EQ(wire_.tree().find(path, false, file), 0);
    file->mode = (file->mode & S_IFMT) | mode;
  }

  Stopwatch wire_;
  fs::OperationContext op_;
};

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

// Files of one directory, listed and then read.
class ReadingOn : public Opening {
 protected:
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

class OpeningUnasked : public Opening {
 protected:
  OpeningUnasked() : Opening(unasked()) {}
  static fs::Options unasked() {
    fs::Options options;
    options.close_to_open = false;
    options.listings_serve_opendir = true;
    return options;
  }
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

TEST_F(OpeningUnasked, AFileRemovedHereWhileItIsOpenCanStillBeRead) {
  wire_.add_file("/srv/a", "text");
  const std::uint64_t ino = look("a");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, kRootInode, "a")));
  wire_.shared().inodes.find(ino)->new_generation();
  EXPECT_EQ(read(handle), "text");
  close(handle);
}

TEST_F(OpeningUnasked, AFileReplacedHereWhileItIsOpenCanStillBeRead) {
  wire_.add_file("/srv/a", "text");
  wire_.add_file("/srv/b", "other");
  const std::uint64_t ino = look("a");
  look("b");
  read_once(ino);
  const std::uint64_t handle = open(ino);
  EXPECT_TRUE(wire_.run(wire_.fs().rename(op_, kRootInode, "b", kRootInode, "a", 0)));
  wire_.shared().inodes.find(ino)->new_generation();
  EXPECT_EQ(read(handle), "text");
  close(handle);
}

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
