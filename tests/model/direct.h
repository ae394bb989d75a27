// Direct: operations on a World one by one, for tests that care about order and timing.
//
// Ownership: counts the lookups it makes; forget_all() gives them back.
// Threads:   the test's thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "model/world.h"

namespace sftpfs::model {

struct OpenedFile {
  std::uint64_t ino = 0;
  std::uint64_t handle = 0;
};

inline std::string text_of(const fs::ReadReply& reply) {
  std::string text;
  for (const iovec& piece : reply.pieces) {
    text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return text;
}

inline SharedBytes bytes_of(const std::string& text) {
  return SharedBytes::copy_of(as_byte_span(std::string_view(text)));
}

class Direct {
 public:
  explicit Direct(World& world) : world_(world) {}

  fs::OperationContext& op() { return op_; }
  fs::Filesystem& fs() { return world_.fs(); }

  std::uint64_t lookup(const std::string& name) {
    const auto entry = world_.run(fs().lookup(op_, fs::kRootInode, name));
    EXPECT_TRUE(entry);
    if (!entry || entry->ino == 0) return 0;
    ++lookups_[entry->ino];
    return entry->ino;
  }
  OpenedFile open(const std::string& name, int flags) {
    OpenedFile file;
    file.ino = lookup(name);
    const auto opened = world_.run(fs().open(op_, file.ino, flags));
    EXPECT_TRUE(opened) << name;
    if (opened) file.handle = opened->handle;
    return file;
  }
  OpenedFile create(const std::string& name, int flags = O_RDWR, unsigned mode = 0644) {
    OpenedFile file;
    const auto made = world_.run(fs().create(op_, fs::kRootInode, name, mode, flags | O_CREAT));
    EXPECT_TRUE(made) << name;
    if (!made) return file;
    ++lookups_[made->entry.ino];
    file.ino = made->entry.ino;
    file.handle = made->open.handle;
    return file;
  }
  std::string read(const OpenedFile& file, std::uint64_t offset, std::size_t size_bytes) {
    const auto reply = world_.run(fs().read(op_, file.handle, offset, size_bytes));
    EXPECT_TRUE(reply) << (reply ? "" : reply.error().describe());
    return reply ? text_of(*reply) : std::string();
  }
  int write(const OpenedFile& file, std::uint64_t offset, const std::string& text) {
    const auto done = world_.run(fs().write(op_, file.handle, offset, bytes_of(text)));
    return done ? 0 : fs::to_errno(done.error(), fs::Attempt::kWrite);
  }
  int flush(const OpenedFile& file) {
    const Status done = world_.run(fs().flush(op_, file.handle));
    return done ? 0 : fs::to_errno(done.error(), fs::Attempt::kWrite);
  }
  void release(const OpenedFile& file) {
    const Status done = world_.run(fs().release(op_, file.handle));
    EXPECT_TRUE(done);
  }
  fs::FileAttr getattr(std::uint64_t ino) {
    const auto attr = world_.run(fs().getattr(op_, ino));
    EXPECT_TRUE(attr);
    return attr ? attr->attr : fs::FileAttr();
  }
  void counted(std::uint64_t ino) { ++lookups_[ino]; }
  void forget_all() {
    for (const auto& [ino, count] : lookups_) fs().forget(ino, count);
    lookups_.clear();
  }

  // Behind the file system's back.
  void put(const std::string& name, const std::string& text) {
    std::ofstream(on_server(name), std::ios::binary) << text;
  }
  std::string get(const std::string& name) {
    std::ifstream file(on_server(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string on_server(const std::string& name) const { return world_.directory() + "/" + name; }

 private:
  World& world_;
  fs::OperationContext op_;
  std::map<std::uint64_t, std::uint64_t> lookups_;
};

}  // namespace sftpfs::model
