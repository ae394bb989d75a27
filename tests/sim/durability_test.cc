// durability=fsync: what callers wait for, what is on the server when, and who is told of what the
// server has refused.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/log.h"
#include "sim/programmes.h"

namespace sftpfs::sim {
namespace {

class AheadOfTheServer : public Programmes {
 protected:
  AheadOfTheServer() : Programmes(ahead()) {}
  static fs::Options ahead() {
    fs::Options options;
    options.durability = fs::Durability::kFsync;
    options.close_to_open = false;
    options.listings_serve_opendir = true;
    options.absent_lifetime = options.attr_lifetime_max;
    return options;
  }
  // A directory in which everything is known; what the session makes is known by then, too.
  std::uint64_t prepare() {
    const std::uint64_t directory = make_directory(kRootInode, "t");
    const Result<fs::CreateReply> first = make(directory, "first");
    EXPECT_TRUE(first);
    close(first->open.handle);
    release_closed();
    wire_.wait(10);
    wire_.lap();
    return directory;
  }
  Result<fs::CreateReply> make(std::uint64_t directory, const std::string& name) {
    return wire_.run(wire_.fs().create(op_, directory, name, 0644, O_WRONLY | O_CREAT | O_EXCL));
  }
  void write(std::uint64_t handle, const std::string& text) {
    auto buffer = std::make_shared<std::byte[]>(text.size());
    std::memcpy(buffer.get(), text.data(), text.size());
    const SharedBytes data(buffer, ByteSpan(buffer.get(), text.size()));
    EXPECT_TRUE(wire_.run(wire_.fs().write(op_, handle, 0, data)));
  }
  void close(std::uint64_t handle) {
    EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle)));
    closed_.push_back(handle);
  }
  std::string on_server(const std::string& path) {
    ModelRef node;
    if (wire_.tree().find(path, false, node) != 0) return "missing";
    return node->content;
  }
};

TEST_F(AheadOfTheServer, UnpackingTwentyFilesCostsSixAtMost) {
  const std::uint64_t first = prepare();
  const std::uint64_t directory = make_directory(first, "d");
  for (int i = 0; i < 20; ++i) put_file(directory, fmt::format("f{}", i));
  set_times(directory, 0);
  EXPECT_LE(wire_.lap(), 6);
  release_closed();
  wire_.wait(50);
  EXPECT_EQ(wire_.shared().journal.pending(), 0U);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(on_server(fmt::format("/srv/t/d/f{}", i)).size(), 3000U);
  }
}

// What a fresh mount costs, too: who the session is must be seen once.
TEST_F(AheadOfTheServer, UnpackingRightAfterTheMountCostsSixAtMost) {
  const std::uint64_t directory = make_directory(kRootInode, "t");
  for (int i = 0; i < 20; ++i) put_file(directory, fmt::format("f{}", i));
  set_times(directory, 0);
  EXPECT_LE(wire_.lap(), 6);
  release_closed();
  wire_.wait(50);
}

TEST_F(AheadOfTheServer, RemovingAHundredFilesCostsFiveInAll) {
  wire_.tree().mkdir("/srv/d", 0755, wire_.now_s());
  for (int i = 0; i < 100; ++i) wire_.add_file(fmt::format("/srv/d/{}", i), "x");
  wire_.wait(400);
  wire_.lap();
  const std::uint64_t directory = look(kRootInode, "d", true);
  const std::vector<std::string> names = list(directory);
  ASSERT_EQ(names.size(), 100U);
  for (const std::string& name : names) {
    EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, directory, name)));
  }
  EXPECT_TRUE(wire_.run(wire_.fs().rmdir(op_, kRootInode, "d")));
  EXPECT_LE(wire_.lap(), 5);
  wire_.wait(10);
  EXPECT_EQ(on_server("/srv/d"), "missing");
}

TEST_F(AheadOfTheServer, NamesAndContentAreThereWhenFsyncReturns) {
  const std::uint64_t directory = prepare();
  const std::uint64_t below = make_directory(directory, "d");
  const Result<fs::CreateReply> file = make(below, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "content");
  EXPECT_EQ(wire_.lap(), 0);
  EXPECT_EQ(on_server("/srv/t/d/f"), "missing");
  EXPECT_TRUE(wire_.run(wire_.fs().fsync(op_, file->open.handle)));
  EXPECT_EQ(on_server("/srv/t/d/f"), "content");
  close(file->open.handle);
  release_closed();
}

TEST_F(AheadOfTheServer, ADirectorysNamesAreThereWhenItsFsyncReturns) {
  const std::uint64_t directory = prepare();
  make_directory(directory, "d");
  EXPECT_EQ(wire_.lap(), 0);
  EXPECT_TRUE(wire_.run(wire_.fs().fsyncdir(op_, directory)));
  EXPECT_EQ(on_server("/srv/t/d"), "");
}

TEST_F(AheadOfTheServer, DrainingWaitsForEverything) {
  const std::uint64_t directory = prepare();
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "content");
  close(file->open.handle);
  release_closed();
  EXPECT_TRUE(wire_.run(wire_.fs().drain(op_)));
  EXPECT_EQ(on_server("/srv/t/f"), "content");
}

TEST_F(AheadOfTheServer, AFileJustWrittenIsReadAgainWithoutTheServer) {
  const std::uint64_t directory = prepare();
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "content");
  close(file->open.handle);
  const std::uint64_t ino = look(directory, "f", true);
  const Result<fs::OpenReply> open = wire_.run(wire_.fs().open(op_, ino, O_RDONLY));
  ASSERT_TRUE(open);
  const Result<fs::ReadReply> read = wire_.run(wire_.fs().read(op_, open->handle, 0, 4096));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size_bytes, 7U);
  EXPECT_EQ(wire_.lap(), 0);
  closed_.push_back(open->handle);
  release_closed();
}

// git's way: an object is written, linked to its name, and a lock file replaces what it locks.
TEST_F(AheadOfTheServer, LinkingAndReplacingCostNothingAndKeepTheirOrder) {
  const std::uint64_t directory = prepare();
  const Result<fs::CreateReply> old = make(directory, "index");
  ASSERT_TRUE(old);
  write(old->open.handle, "old");
  close(old->open.handle);
  release_closed();
  wire_.wait(20);
  wire_.lap();
  const Result<fs::CreateReply> object = make(directory, "tmp_obj");
  ASSERT_TRUE(object);
  write(object->open.handle, "object");
  close(object->open.handle);
  EXPECT_TRUE(wire_.run(wire_.fs().link(op_, object->entry.ino, directory, "obj")));
  EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, directory, "tmp_obj")));
  const Result<fs::CreateReply> lock = make(directory, "index.lock");
  ASSERT_TRUE(lock);
  write(lock->open.handle, "new");
  close(lock->open.handle);
  EXPECT_TRUE(wire_.run(wire_.fs().rename(op_, directory, "index.lock", directory, "index", 0)));
  EXPECT_EQ(wire_.lap(), 0);
  release_closed();
  // Never without its content.
  for (int i = 0; i < 40; ++i) {
    const std::string index = on_server("/srv/t/index");
    EXPECT_TRUE(index == "old" || index == "new") << index;
    wire_.wait(1);
  }
  EXPECT_EQ(on_server("/srv/t/index"), "new");
  EXPECT_EQ(on_server("/srv/t/obj"), "object");
  EXPECT_EQ(on_server("/srv/t/tmp_obj"), "missing");
}

TEST_F(AheadOfTheServer, WhatTheServerRefusesIsToldByTheNextFsyncOnce) {
  log_set_level(LogLevel::kOff);
  const std::uint64_t directory = prepare();
  // Somebody else is faster.
  wire_.tree().mkdir("/srv/t/d", 0755, wire_.now_s());
  make_directory(directory, "d");
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  EXPECT_FALSE(wire_.run(wire_.fs().fsyncdir(op_, directory)));
  EXPECT_TRUE(wire_.run(wire_.fs().fsyncdir(op_, directory)));
  EXPECT_EQ(wire_.shared().journal.refused(), 1U);
  EXPECT_TRUE(wire_.run(wire_.fs().fsync(op_, file->open.handle)));
  close(file->open.handle);
  release_closed();
  // What is there is shown from now on.
  wire_.wait(400);
  EXPECT_NE(look(directory, "d", true), 0U);
  // A while nothing is promised: who asks waits.
  log_set_level(LogLevel::kWarning);
}

TEST_F(AheadOfTheServer, ARefusedFileIsToldToWhoWritesIt) {
  log_set_level(LogLevel::kOff);
  const std::uint64_t directory = prepare();
  wire_.add_file("/srv/t/f", "of somebody else");
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "ours");
  EXPECT_FALSE(wire_.run(wire_.fs().fsync(op_, file->open.handle)));
  EXPECT_EQ(on_server("/srv/t/f"), "of somebody else");
  closed_.push_back(file->open.handle);
  release_closed();
  log_set_level(LogLevel::kWarning);
}

TEST_F(AheadOfTheServer, ContentThatIsRefusedAfterTheCloseIsToldToWhoSyncsTheFileOrItsDirectory) {
  log_set_level(LogLevel::kOff);
  const std::uint64_t directory = prepare();
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "ours");
  wire_.add_file("/srv/t/g", "of somebody else");
  const Result<fs::CreateReply> refused = make(directory, "g");
  ASSERT_TRUE(refused);
  write(refused->open.handle, "ours, too");
  close(refused->open.handle);
  release_closed();
  wire_.wait(20);
  EXPECT_FALSE(wire_.run(wire_.fs().fsyncdir(op_, directory)));
  // What follows is waited for, as without durability=fsync: who closes would be told.
  wire_.lap();
  EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, file->open.handle)));
  EXPECT_EQ(on_server("/srv/t/f"), "ours");
  make_directory(directory, "d");
  EXPECT_GE(wire_.lap(), 1);
  EXPECT_EQ(on_server("/srv/t/d"), "");
  closed_.push_back(file->open.handle);
  release_closed();
  log_set_level(LogLevel::kWarning);
}

TEST_F(AheadOfTheServer, TimesAreThoseThatWereShown) {
  const std::uint64_t directory = prepare();
  const Result<fs::CreateReply> file = make(directory, "f");
  ASSERT_TRUE(file);
  write(file->open.handle, "content");
  close(file->open.handle);
  const Result<fs::AttrReply> shown = wire_.run(wire_.fs().getattr(op_, file->entry.ino));
  release_closed();
  ASSERT_TRUE(shown);
  wire_.wait(400);
  ModelRef node;
  ASSERT_EQ(wire_.tree().find("/srv/t/f", false, node), 0);
  EXPECT_EQ(node->mtime, shown->attr.mtime.seconds);
}

}  // namespace
}  // namespace sftpfs::sim
