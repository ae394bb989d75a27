// What this mount shows after its own changes, and after those of others.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "model/direct.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

constexpr std::size_t kBlock = 16 << 10;

void set_mtime(const std::string& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class Coherence : public ::testing::Test {
 protected:
  void TearDown() override {
    direct.forget_all();
    world.expect_idle();
  }
  Status unlink(const std::string& name) {
    return world.run(world.fs().unlink(direct.op(), fs::kRootInode, name));
  }
  Result<fs::AttrReply> chmod(std::uint64_t ino, unsigned mode) {
    fs::SetAttr change;
    change.has_mode = true;
    change.mode = mode;
    return world.run(world.fs().setattr(direct.op(), ino, change, 0));
  }

  World world{Shape{}};
  Direct direct{world};
};

TEST_F(Coherence, TheTimeShownAfterAWriteIsTheServers) {
  const OpenedFile file = direct.create("file");
  EXPECT_EQ(direct.write(file, 0, "text"), 0);
  EXPECT_EQ(direct.flush(file), 0);
  // As if the server's clock were another.
  set_mtime(direct.on_server("file"), 1'000'000);
  EXPECT_EQ(direct.write(file, 4, "more"), 0);
  while (world.dirty_bytes() > 0) {
  }
  set_mtime(direct.on_server("file"), 2'000'000);
  EXPECT_EQ(direct.flush(file), 0) << "nothing is under way any more";
  EXPECT_EQ(direct.getattr(file.ino).mtime.seconds, 2'000'000);
  direct.release(file);
}

TEST_F(Coherence, ChangingPermissionsDoesNotHideWhatSomebodyElseWrote) {
  direct.put("file", "old text");
  set_mtime(direct.on_server("file"), 1'000'000);
  const OpenedFile first = direct.open("file", O_RDONLY);
  EXPECT_EQ(direct.read(first, 0, 100), "old text");
  direct.release(first);
  direct.put("file", "new text");
  set_mtime(direct.on_server("file"), 1'000'100);
  EXPECT_TRUE(chmod(first.ino, 0600));
  const OpenedFile second = direct.open("file", O_RDONLY);
  EXPECT_EQ(direct.read(second, 0, 100), "new text");
  direct.release(second);
}

TEST_F(Coherence, CreatingWhatIsThereChangesNeitherItsModeNorItsContent) {
  direct.put("empty", "");
  ASSERT_EQ(::chmod(direct.on_server("empty").c_str(), 0600), 0);
  const OpenedFile file = direct.create("empty", O_RDWR, 0666);
  struct stat found {};
  ASSERT_EQ(::stat(direct.on_server("empty").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
  direct.release(file);

  direct.put("full", "text");
  const OpenedFile there = direct.create("full", O_RDWR, 0666);
  EXPECT_EQ(direct.read(there, 0, 100), "text");
  direct.release(there);
  const OpenedFile truncated = direct.create("full", O_RDWR | O_TRUNC, 0666);
  EXPECT_EQ(direct.read(truncated, 0, 100), "");
  EXPECT_EQ(direct.getattr(truncated.ino).size, 0U);
  direct.release(truncated);
}

TEST_F(Coherence, ExclusiveCreationOfWhatIsThereFails) {
  direct.put("file", "text");
  const auto made = world.run(
      world.fs().create(direct.op(), fs::kRootInode, "file", 0644, O_RDWR | O_CREAT | O_EXCL));
  ASSERT_FALSE(made);
  EXPECT_EQ(fs::to_errno(made.error(), fs::Attempt::kCreate), EEXIST);
}

TEST_F(Coherence, CreatingOverALinkOrADirectoryLeavesThemToTheKernel) {
  ASSERT_EQ(::symlink("target", direct.on_server("link").c_str()), 0);
  ASSERT_EQ(::mkdir(direct.on_server("directory").c_str(), 0755), 0);
  for (const char* name : {"link", "directory"}) {
    const auto made =
        world.run(world.fs().create(direct.op(), fs::kRootInode, name, 0644, O_RDWR | O_CREAT));
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(fs::to_errno(made.error(), fs::Attempt::kCreate), ESTALE) << name;
  }
  EXPECT_NE(::access(direct.on_server("target").c_str(), F_OK), 0) << "no link was followed";
}

TEST_F(Coherence, AFileMadeAnewIsNotTheOneThatHadItsNameAndIsStillOpen) {
  direct.put("file", std::string(kBlock, 'o'));
  const OpenedFile old = direct.open("file", O_RDONLY);
  ASSERT_EQ(::unlink(direct.on_server("file").c_str()), 0);
  const OpenedFile now = direct.create("file");
  EXPECT_NE(now.ino, old.ino);
  EXPECT_EQ(direct.write(now, 0, "new"), 0);
  EXPECT_EQ(direct.read(old, 0, 5), "ooooo");
  EXPECT_EQ(direct.read(now, 0, 5), "new");
  EXPECT_EQ(direct.flush(now), 0);
  direct.release(old);
  direct.release(now);
}

TEST_F(Coherence, AnOpenFileThatSomebodyElseRemovedIsStillAskedFor) {
  direct.put("file", "text");
  const OpenedFile file = direct.open("file", O_RDWR);
  ASSERT_EQ(::unlink(direct.on_server("file").c_str()), 0);
  EXPECT_EQ(direct.write(file, 4, "!"), 0);
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_EQ(direct.getattr(file.ino).size, 5U);
  EXPECT_EQ(direct.read(file, 0, 10), "text!");
  direct.release(file);
}

TEST_F(Coherence, AnotherTypeOfFileUnderTheNameIsNotOpened) {
  direct.put("file", "text");
  const std::uint64_t ino = direct.lookup("file");
  ASSERT_EQ(::unlink(direct.on_server("file").c_str()), 0);
  direct.put("elsewhere", "secret");
  ASSERT_EQ(::symlink("elsewhere", direct.on_server("file").c_str()), 0);
  const auto opened = world.run(world.fs().open(direct.op(), ino, O_RDONLY));
  ASSERT_FALSE(opened);
  EXPECT_EQ(fs::to_errno(opened.error(), fs::Attempt::kOpen), ESTALE);
}

// Takes all it is given, and keeps what came with attributes.
class Collector final : public fs::DirectorySink {
 public:
  explicit Collector(std::size_t room) : room_(room) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    if (names.size() == room_) return false;
    names.insert(item.name);
    next_offset = item.next_offset;
    if (entry != nullptr) entries.push_back(*entry);
    if (entry != nullptr) with_attributes.insert(item.name);
    return true;
  }
  std::set<std::string> names;
  std::set<std::string> with_attributes;
  std::vector<fs::EntryReply> entries;
  std::uint64_t next_offset = 0;

 private:
  const std::size_t room_;
};

TEST_F(Coherence, AListingDoesNotBringBackWhatWasRemovedWhileItRuns) {
  for (const char* name : {"a", "b", "c", "d"}) direct.put(name, "text");
  const auto listing = world.run(world.fs().opendir(direct.op(), fs::kRootInode));
  ASSERT_TRUE(listing);
  Collector begin(2);  // "." and ".."; the listing has been read
  ASSERT_TRUE(world.run(world.fs().readdir(direct.op(), listing->handle, 0, true, begin)));
  Collector some(1);
  ASSERT_TRUE(
      world.run(world.fs().readdir(direct.op(), listing->handle, begin.next_offset, true, some)));
  EXPECT_EQ(some.with_attributes.size(), 1U);
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(unlink(name));
  Collector rest(100);
  ASSERT_TRUE(
      world.run(world.fs().readdir(direct.op(), listing->handle, some.next_offset, true, rest)));
  EXPECT_EQ(rest.names.size(), 3U) << "names may be those of a moment ago";
  EXPECT_TRUE(rest.with_attributes.empty()) << "but none as if it existed";
  for (const fs::EntryReply& entry : some.entries) direct.counted(entry.ino);
  ASSERT_TRUE(world.run(world.fs().releasedir(direct.op(), listing->handle)));
}

TEST_F(Coherence, AnEntryThatDoesNotFitCountsNoLookup) {
  for (int i = 0; i < 300; ++i) direct.put("file" + std::to_string(i), "");
  const auto listing = world.run(world.fs().opendir(direct.op(), fs::kRootInode));
  ASSERT_TRUE(listing);
  std::uint64_t offset = 0;
  std::size_t names = 0;
  while (true) {
    Collector sink(7);
    ASSERT_TRUE(world.run(world.fs().readdir(direct.op(), listing->handle, offset, true, sink)));
    if (sink.names.empty()) break;
    names += sink.names.size();
    offset = sink.next_offset;
    for (const fs::EntryReply& entry : sink.entries) direct.counted(entry.ino);
  }
  EXPECT_EQ(names, 302U);
  ASSERT_TRUE(world.run(world.fs().releasedir(direct.op(), listing->handle)));
}

TEST(Listing, ThatDoesNotEndIsGivenUpAndItsMemoryWithIt) {
  Shape shape;
  shape.open_directory_bytes_max = 20'000;
  World world(shape);
  Direct direct(world);
  for (int i = 0; i < 1000; ++i) direct.put("file" + std::to_string(i), "");
  const auto listing = world.run(world.fs().opendir(direct.op(), fs::kRootInode));
  ASSERT_TRUE(listing);
  const auto read_to_the_end = [&] {
    std::uint64_t offset = 0;
    while (true) {
      Collector sink(100);
      const Status read =
          world.run(world.fs().readdir(direct.op(), listing->handle, offset, false, sink));
      if (!read) return fs::to_errno(read.error(), fs::Attempt::kRead);
      if (sink.names.empty()) return 0;
      offset = sink.next_offset;
    }
  };
  EXPECT_EQ(read_to_the_end(), EOVERFLOW);
  for (int i = 100; i < 1000; ++i) {
    ::unlink(direct.on_server("file" + std::to_string(i)).c_str());
  }
  EXPECT_EQ(read_to_the_end(), 0) << "a directory that fits is listed again";
  ASSERT_TRUE(world.run(world.fs().releasedir(direct.op(), listing->handle)));
  world.expect_idle();
}

TEST_F(Coherence, TruncatingDownAndUpAgainLeavesZeros) {
  direct.put("file", std::string(3 * kBlock, 'x'));
  const OpenedFile file = direct.open("file", O_RDWR);
  EXPECT_EQ(direct.read(file, 0, 3 * kBlock).size(), 3 * kBlock);
  for (const std::uint64_t size : {kBlock / 2, 3 * kBlock}) {
    fs::SetAttr change;
    change.has_size = true;
    change.size = size;
    EXPECT_TRUE(world.run(world.fs().setattr(direct.op(), file.ino, change, file.handle)));
  }
  const std::string text = direct.read(file, 0, 4 * kBlock);
  EXPECT_EQ(text.size(), 3 * kBlock);
  EXPECT_TRUE(text == std::string(kBlock / 2, 'x') + std::string(5 * kBlock / 2, '\0'));
  direct.release(file);
}

TEST_F(Coherence, AWriteBehindTheEndShowsZerosInCachedBlocks) {
  direct.put("file", "short");
  const OpenedFile file = direct.open("file", O_RDWR);
  EXPECT_EQ(direct.read(file, 0, 4 * kBlock), "short");
  EXPECT_EQ(direct.read(file, 2 * kBlock, 10), "");
  EXPECT_EQ(direct.write(file, 3 * kBlock, "end"), 0);
  const std::string text = direct.read(file, 0, 4 * kBlock);
  EXPECT_TRUE(text == "short" + std::string(3 * kBlock - 5, '\0') + "end");
  EXPECT_EQ(direct.read(file, 2 * kBlock, 10), std::string(10, '\0'));
  direct.release(file);
}

TEST_F(Coherence, TwoDescriptorsAppendOneBehindTheOther) {
  const OpenedFile one = direct.create("log", O_WRONLY | O_APPEND);
  const OpenedFile two = direct.open("log", O_WRONLY | O_APPEND);
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    EXPECT_EQ(direct.write(i % 3 == 0 ? one : two, expected.size(), line), 0);
    expected += line;
  }
  EXPECT_EQ(direct.flush(one), 0);
  EXPECT_EQ(direct.flush(two), 0);
  EXPECT_EQ(direct.get("log"), expected);
  EXPECT_EQ(direct.getattr(one.ino).size, expected.size());
  direct.release(one);
  direct.release(two);
}

TEST_F(Coherence, CopiesReplaceWhatIsCached) {
  direct.put("from", std::string(2 * kBlock, 'f'));
  direct.put("to", std::string(2 * kBlock, 't'));
  const OpenedFile from = direct.open("from", O_RDONLY);
  const OpenedFile to = direct.open("to", O_RDWR);
  EXPECT_EQ(direct.read(to, 0, 2 * kBlock).size(), 2 * kBlock);
  const auto copied = world.run(
      world.fs().copy_file_range(direct.op(), from.handle, 5, to.handle, kBlock - 1, kBlock + 100));
  ASSERT_TRUE(copied) << copied.error().describe();
  EXPECT_EQ(*copied, kBlock + 100);
  EXPECT_EQ(direct.getattr(to.ino).size, 2 * kBlock + 99);
  EXPECT_TRUE(direct.read(to, 0, 3 * kBlock) ==
              std::string(kBlock - 1, 't') + std::string(kBlock + 100, 'f'));
  direct.release(from);
  direct.release(to);
}

}  // namespace
}  // namespace sftpfs::model
