// Directories that are read ahead while the kernel opens and closes them, in simulated time.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "sim/stopwatch.h"

namespace sftpfs::sim {
namespace {

using fs::kRootInode;
using Opened = Result<fs::OpenReply>;

runtime::Task<void> open_into(fs::Filesystem& fs, std::uint64_t directory, Opened& opened) {
  fs::OperationContext op;
  opened = co_await fs.opendir(op, directory);
}

struct Discard final : fs::DirectorySink {
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    static_cast<void>(item);
    static_cast<void>(entry);
    return true;
  }
};

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
  Discard names;
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

}  // namespace
}  // namespace sftpfs::sim
