// Directories that are read ahead while the kernel opens and closes them, in simulated time.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

using fs::kRootInode;
using Opened = Result<fs::OpenReply>;

runtime::Task<void> open_into(fs::Filesystem& fs, std::uint64_t directory, Opened& opened) {
  fs::OperationContext op;
  Opened result = co_await fs.opendir(op, directory);
  opened = std::move(result);
}

// Has room for so many names, and remembers the numbers of those that come with attributes.
struct Names final : fs::DirectorySink {
  explicit Names(std::size_t names) : room(names) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    if (room == 0) return false;
    --room;
    offset = item.next_offset;
    if (entry != nullptr) inodes[item.name] = entry->ino;
    return true;
  }
  std::size_t room;
  std::uint64_t offset = 0;
  std::map<std::string, std::uint64_t> inodes;
};

constexpr std::size_t kAll = 100'000;

TEST(DirectoryPrefetch, ADirectoryClosedWhileItIsReadAheadIsLetGo) {
  Stopwatch wire;
  fs::Filesystem& fs = wire.fs();
  fs::OperationContext op;
  std::uint64_t inodes[2];
  for (int i = 0; i < 2; ++i) {
    const std::string directory = "/srv/" + std::to_string(i);
    wire.tree().mkdir(directory, 0755, wire.now_s());
    for (int name = 0; name < 500; ++name)
      wire.add_file(directory + "/" + std::to_string(name), "");
    const Result<fs::EntryReply> found = wire.run(fs.lookup(op, kRootInode, std::to_string(i)));
    ASSERT_TRUE(found);
    inodes[i] = found->ino;
  }
  // Whoever lists the directory above and opens the first below it is taken for a walker, and the
  // second is guessed; it is opened before the guess has begun to read.
  const Opened above = wire.run(fs.opendir(op, kRootInode));
  ASSERT_TRUE(above);
  Names names(kAll);
  ASSERT_TRUE(wire.run(fs.readdir(op, above->handle, 0, false, names)));
  Opened first = fail(Error::system(EAGAIN));
  wire.shared().pool.workers()[0]->loop().post(
      [&fs, &inodes, &first] { runtime::spawn(open_into(fs, inodes[0], first)); });
  const Opened second = wire.run(fs.opendir(op, inodes[1]));
  ASSERT_TRUE(second);
  EXPECT_TRUE(wire.run(fs.releasedir(op, second->handle)));
  wire.wait(100);
  ASSERT_TRUE(first);
  EXPECT_TRUE(wire.run(fs.releasedir(op, first->handle)));
  EXPECT_TRUE(wire.run(fs.releasedir(op, above->handle)));
  EXPECT_TRUE(wire.run(fs.drain(op)));
  for (const std::uint64_t inode : inodes) fs.forget(inode, 1);
  EXPECT_EQ(wire.shared().inodes.size(), 1U);
}

TEST(DirectoryStream, WhatItHasReadEarlyIsNotTakenForNew) {
  Stopwatch wire;
  fs::Filesystem& fs = wire.fs();
  fs::OperationContext op;
  for (int name = 0; name < 2000; ++name) wire.add_file("/srv/" + std::to_string(name), "");
  const Opened directory = wire.run(fs.opendir(op, kRootInode));
  ASSERT_TRUE(directory);
  Names first(3);
  ASSERT_TRUE(wire.run(fs.readdir(op, directory->handle, 0, true, first)));
  ASSERT_EQ(first.inodes.size(), 1U);
  const auto [name, inode] = *first.inodes.begin();
  // It grows behind the stream's back, and only then the stream asks for the rest.
  const Opened file = wire.run(fs.open(op, inode, O_WRONLY));
  ASSERT_TRUE(file);
  auto buffer = std::make_shared<std::byte[]>(100);
  ASSERT_TRUE(
      wire.run(fs.write(op, file->handle, 0, SharedBytes(buffer, ByteSpan(buffer.get(), 100)))));
  ASSERT_TRUE(wire.run(fs.fsync(op, file->handle)));
  Names rest(kAll);
  ASSERT_TRUE(wire.run(fs.readdir(op, directory->handle, first.offset, true, rest)));
  EXPECT_EQ(rest.inodes.size(), 1999U);
  Names again(1);
  ASSERT_TRUE(wire.run(fs.readdir(op, directory->handle, 2, true, again)));
  const Result<fs::AttrReply> attr = wire.run(fs.getattr(op, inode));
  ASSERT_TRUE(attr);
  EXPECT_EQ(attr->attr.size, 100U) << name;
  EXPECT_TRUE(wire.run(fs.flush(op, file->handle)));
  EXPECT_TRUE(wire.run(fs.release(op, file->handle)));
  EXPECT_TRUE(wire.run(fs.releasedir(op, directory->handle)));
}

}  // namespace
}  // namespace sftpfs::sim
