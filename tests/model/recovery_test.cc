// What programmes see of a connection that is lost: nothing, but of files that are really gone.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "model/direct.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

std::string numbered_lines(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

int read_error(Direct& direct, World& world, const OpenedFile& file) {
  const auto reply = world.run(direct.fs().read(direct.op(), file.handle, 0, 16));
  return reply ? 0 : fs::to_errno(reply.error(), fs::Attempt::kRead);
}

// Collects names and stops taking them when it has `room`.
class Names final : public fs::DirectorySink {
 public:
  explicit Names(std::size_t room) : room_(room) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* /*entry*/) override {
    if (names.size() >= room_) return false;
    names.push_back(item.name);
    next_offset = item.next_offset;
    return true;
  }
  std::vector<std::string> names;
  std::uint64_t next_offset = 0;

 private:
  const std::size_t room_;
};

class Recovery : public ::testing::Test {
 protected:
  Recovery() : world(shape()), direct(world) {}
  ~Recovery() override {
    direct.forget_all();
    world.expect_idle();
  }
  static Shape shape() {
    Shape shape;
    shape.max_conns = 2;
    shape.cache_slots = 16;
    return shape;
  }
  void lose_connections() { world.connector().kill_servers(); }

  World world;
  Direct direct;
};

TEST_F(Recovery, AnOpenFileIsReadOn) {
  const std::string text = numbered_lines(0, 40'000);
  direct.put("file", text);
  const OpenedFile file = direct.open("file", O_RDONLY);
  std::string seen;
  while (seen.size() < text.size()) {
    if (seen.size() / 100'000 != (seen.size() + 60'000) / 100'000) lose_connections();
    const std::string part = direct.read(file, seen.size(), 60'000);
    ASSERT_FALSE(part.empty());
    seen += part;
  }
  EXPECT_TRUE(seen == text);
  direct.release(file);
}

TEST_F(Recovery, WhatWasAcceptedIsOnTheServerInTheEnd) {
  const OpenedFile file = direct.create("file");
  std::string text;
  for (int round = 0; round < 40; ++round) {
    std::string part = numbered_lines(round * 1000, round * 1000 + 1000);
    // Every second part overlaps the one before, so that their order shows.
    const std::size_t at = round % 2 == 0 ? text.size() : text.size() - 5000;
    ASSERT_EQ(direct.write(file, at, part), 0);
    text.replace(at, std::string::npos, part);
    if (round % 10 == 5) lose_connections();
  }
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(file);
}

TEST_F(Recovery, AppendedBytesStandInTheFileOnce) {
  const OpenedFile file = direct.create("log", O_WRONLY | O_APPEND);
  std::string text;
  for (int round = 0; round < 60; ++round) {
    const std::string part = numbered_lines(round * 3000, round * 3000 + 3000);
    ASSERT_EQ(direct.write(file, text.size(), part), 0);
    text += part;
    if (round % 15 == 7) lose_connections();
  }
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("log") == text);
  direct.release(file);
}

TEST_F(Recovery, AFileRemovedWhileOpenIsStaleAndOthersAreNot) {
  direct.put("kept", "kept");
  direct.put("removed", "removed");
  const OpenedFile kept = direct.open("kept", O_RDONLY);
  const OpenedFile removed = direct.open("removed", O_RDWR);
  const Status gone = world.run(direct.fs().unlink(direct.op(), fs::kRootInode, "removed"));
  ASSERT_TRUE(gone);
  EXPECT_EQ(direct.read(removed, 0, 100), "removed");
  lose_connections();
  EXPECT_EQ(direct.write(removed, 0, "x"), 0) << "it is not known yet";
  EXPECT_EQ(direct.flush(removed), ESTALE);
  EXPECT_EQ(direct.write(removed, 0, "x"), ESTALE);
  EXPECT_EQ(direct.read(kept, 0, 100), "kept");
  direct.release(kept);
  direct.release(removed);
}

TEST_F(Recovery, AFileReplacedOnTheServerIsStaleAndItsNewVersionCanBeOpened) {
  direct.put("file", numbered_lines(0, 1000));
  const OpenedFile old = direct.open("file", O_RDONLY);
  EXPECT_EQ(direct.read(old, 0, 6), "line 0");
  lose_connections();
  direct.put("new", numbered_lines(5, 2000));
  std::filesystem::rename(direct.on_server("new"), direct.on_server("file"));
  // Beyond what is cached.
  const auto reply = world.run(direct.fs().read(direct.op(), old.handle, 20'000, 16));
  ASSERT_FALSE(reply);
  EXPECT_EQ(fs::to_errno(reply.error(), fs::Attempt::kRead), ESTALE);
  const OpenedFile fresh = direct.open("file", O_RDONLY);
  EXPECT_EQ(direct.read(fresh, 0, 6), "line 5");
  direct.release(old);
  direct.release(fresh);
}

TEST_F(Recovery, AFileReplacedByALinkIsStale) {
  direct.put("file", "mine");
  direct.put("other", "mine");
  const OpenedFile file = direct.open("file", O_RDONLY);
  lose_connections();
  std::filesystem::remove(direct.on_server("file"));
  std::filesystem::create_symlink("other", direct.on_server("file"));
  EXPECT_EQ(read_error(direct, world, file), ESTALE);
  direct.release(file);
}

TEST_F(Recovery, ALogThatGrewIsStillTheSameFile) {
  direct.put("log", numbered_lines(0, 10));
  const OpenedFile log = direct.open("log", O_RDONLY);
  const std::string before = numbered_lines(0, 10);
  // Not from the beginning, so that no block is cached.
  EXPECT_EQ(direct.read(log, 7, 14), before.substr(7, 14));
  lose_connections();
  std::ofstream(direct.on_server("log"), std::ios::app) << numbered_lines(10, 20);
  EXPECT_EQ(direct.read(log, before.size(), 10'000), numbered_lines(10, 20));
  direct.release(log);
}

TEST_F(Recovery, AFileRemovedWithoutAConnectionStaysReadable) {
  const std::string text = numbered_lines(0, 10'000);
  direct.put("file", text);
  const OpenedFile file = direct.open("file", O_RDONLY);
  lose_connections();
  const Status gone = world.run(direct.fs().unlink(direct.op(), fs::kRootInode, "file"));
  ASSERT_TRUE(gone);
  EXPECT_TRUE(direct.read(file, 0, text.size()) == text);
  direct.release(file);
}

TEST_F(Recovery, AFileRenamedWithoutAConnectionIsReadOn) {
  const std::string text = numbered_lines(0, 10'000);
  direct.put("file", text);
  const OpenedFile file = direct.open("file", O_RDONLY);
  lose_connections();
  auto reading = world.start(0, direct.fs().read(direct.op(), file.handle, 0, text.size()));
  const Status moved = world.run(
      direct.fs().rename(direct.op(), fs::kRootInode, "file", fs::kRootInode, "moved", 0));
  ASSERT_TRUE(moved);
  const auto reply = world.wait(std::move(reading));
  ASSERT_TRUE(reply) << reply.error().describe();
  EXPECT_TRUE(text_of(*reply) == text);
  direct.release(file);
}

TEST_F(Recovery, AListingGoesOnAndRepeatsNoName) {
  std::set<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "name" + std::to_string(i);
    direct.put(name, "");
    expected.insert(name);
  }
  const auto opened = world.run(direct.fs().opendir(direct.op(), fs::kRootInode));
  ASSERT_TRUE(opened);
  std::vector<std::string> seen;
  std::uint64_t offset = 0;
  while (true) {
    Names part(250);
    const Status read =
        world.run(direct.fs().readdir(direct.op(), opened->handle, offset, false, part));
    ASSERT_TRUE(read);
    if (part.names.empty()) break;
    seen.insert(seen.end(), part.names.begin(), part.names.end());
    offset = part.next_offset;
    if (seen.size() % 1000 == 250) lose_connections();
  }
  EXPECT_TRUE(world.run(direct.fs().releasedir(direct.op(), opened->handle)));
  const std::set<std::string> once(seen.begin(), seen.end());
  EXPECT_EQ(once.size(), seen.size()) << "a name was repeated";
  expected.insert({".", ".."});
  EXPECT_TRUE(once == expected);
}

TEST_F(Recovery, TruncationComesBehindTheWritesBeforeIt) {
  const OpenedFile file = direct.create("file");
  for (int round = 0; round < 8; ++round) {
    ASSERT_EQ(direct.write(file, 0, numbered_lines(0, 20'000)), 0);
    if (round % 2 == 0) lose_connections();
    fs::SetAttr change;
    change.has_size = true;
    change.size = 12;
    const auto cut = world.run(direct.fs().setattr(direct.op(), file.ino, change, file.handle));
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->attr.size, 12U);
    EXPECT_EQ(direct.get("file"), numbered_lines(0, 20'000).substr(0, 12));
  }
  direct.release(file);
}

TEST_F(Recovery, NamesAreMadeAndRemovedExactlyOnce) {
  for (int round = 0; round < 12; ++round) {
    const std::string name = "d" + std::to_string(round);
    if (round % 6 == 0) lose_connections();
    const auto made = world.run(direct.fs().mkdir(direct.op(), fs::kRootInode, name, 0755));
    ASSERT_TRUE(made) << round << ": " << made.error().describe();
    direct.counted(made->ino);
    const auto again = world.run(direct.fs().mkdir(direct.op(), fs::kRootInode, name, 0755));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().os_errno(), EEXIST);
    const OpenedFile file = direct.create("f" + name, O_RDWR | O_EXCL);
    if (round % 6 == 3) lose_connections();
    direct.release(file);
    ASSERT_TRUE(world.run(direct.fs().rename(direct.op(), fs::kRootInode, "f" + name,
                                             fs::kRootInode, "g" + name, 0)));
    ASSERT_TRUE(world.run(direct.fs().unlink(direct.op(), fs::kRootInode, "g" + name)));
    const Status gone = world.run(direct.fs().unlink(direct.op(), fs::kRootInode, "g" + name));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().os_errno(), ENOENT);
    ASSERT_TRUE(world.run(direct.fs().rmdir(direct.op(), fs::kRootInode, name)));
  }
}

}  // namespace
}  // namespace sftpfs::model
