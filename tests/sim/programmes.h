// Programmes: the kernel's calls of whole programmes, one after the other, on a line with a fixed
// round trip.
//
// Ownership: the test. Threads: its own.
#pragma once

#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/stopwatch.h"

namespace sftpfs::sim {

using fs::EntryReply;
using fs::kRootInode;

class Programmes : public ::testing::Test {
 protected:
  explicit Programmes(const fs::Options& options = {}) : wire_(ServerConfig(), options) {}

  // Of a name that must be there, or not.
  std::uint64_t look(std::uint64_t parent, const std::string& name, bool there) {
    const Result<EntryReply> entry = wire_.run(wire_.fs().lookup(op_, parent, name));
    EXPECT_TRUE(entry && (entry->ino != 0) == there) << name;
    return entry ? entry->ino : 0;
  }
  std::uint64_t make_directory(std::uint64_t parent, const std::string& name) {
    look(parent, name, false);
    const Result<EntryReply> made = wire_.run(wire_.fs().mkdir(op_, parent, name, 0755));
    EXPECT_TRUE(made) << name;
    return made ? made->ino : 0;
  }
  void set_times(std::uint64_t ino, std::uint64_t handle) {
    fs::SetAttr times;
    times.has_atime = times.has_mtime = true;
    times.atime.seconds = times.mtime.seconds = 12345;
    EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, times, handle)));
  }
  void set_owner(const fs::FileAttr& made, std::uint64_t handle) {
    fs::SetAttr owner;
    owner.has_uid = owner.has_gid = true;
    owner.uid = made.uid;
    owner.gid = made.gid;
    EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, made.ino, owner, handle)));
  }
  void set_mode(std::uint64_t ino, std::uint64_t handle, std::uint32_t bits) {
    fs::SetAttr mode;
    mode.has_mode = true;
    mode.mode = bits;
    EXPECT_TRUE(wire_.run(wire_.fs().setattr(op_, ino, mode, handle)));
  }
  // As tar and `cp -a` make a file: whole, with owner, mode and times.
  void put_file(std::uint64_t directory, const std::string& name) {
    constexpr std::size_t kSize = 3000;
    look(directory, name, false);
    const Result<fs::CreateReply> made =
        wire_.run(wire_.fs().create(op_, directory, name, 0600, O_WRONLY | O_CREAT | O_EXCL));
    ASSERT_TRUE(made);
    const std::uint64_t handle = made->open.handle;
    const std::uint64_t ino = made->entry.ino;
    EXPECT_TRUE(wire_.run(wire_.fs().getattr(op_, ino, handle)));
    auto buffer = std::make_shared<std::byte[]>(kSize);
    const SharedBytes data(buffer, ByteSpan(buffer.get(), kSize));
    EXPECT_TRUE(wire_.run(wire_.fs().write(op_, handle, 0, data)));
    set_times(ino, handle);
    set_owner(made->entry.attr, handle);
    set_mode(ino, handle, 0644);
    EXPECT_TRUE(wire_.run(wire_.fs().flush(op_, handle)));
    closed_.push_back(handle);
  }
  void release_closed() {
    for (const std::uint64_t handle : closed_) {
      EXPECT_TRUE(wire_.run(wire_.fs().release(op_, handle)));
    }
    closed_.clear();
  }
  std::vector<std::string> list(std::uint64_t directory) {
    struct Names final : fs::DirectorySink {
      bool add(const fs::DirectoryItem& item, const EntryReply* /*entry*/) override {
        if (item.name != "." && item.name != "..") names.push_back(item.name);
        return true;
      }
      std::vector<std::string> names;
    } sink;
    const Result<fs::OpenReply> open = wire_.run(wire_.fs().opendir(op_, directory));
    EXPECT_TRUE(open);
    if (!open) return {};
    EXPECT_TRUE(wire_.run(wire_.fs().readdir(op_, open->handle, 0, true, sink)));
    EXPECT_TRUE(wire_.run(wire_.fs().releasedir(op_, open->handle)));
    return sink.names;
  }

  Stopwatch wire_;
  fs::OperationContext op_;
  std::vector<std::uint64_t> closed_;
};

}  // namespace sftpfs::sim
