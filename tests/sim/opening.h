// Opening: a fixture that opens, reads and closes files of /srv in simulated time.
//
// Ownership: the test. Threads: its own. Limits: one session.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "sim/stopwatch.h"

namespace sftpfs::sim {

inline constexpr unsigned kMoreThanALifetime = 400;  // round trips

class Opening : public ::testing::Test {
 protected:
  explicit Opening(const fs::Options& options = {}) : wire_(ServerConfig(), options) {}

  std::uint64_t look(const std::string& name) {
    const Result<fs::EntryReply> entry = wire_.run(wire_.fs().lookup(op_, fs::kRootInode, name));
    EXPECT_TRUE(entry && entry->ino != 0) << name;
    return entry ? entry->ino : 0;
  }
  std::uint64_t open(std::uint64_t ino, int flags = O_RDONLY) {
    const Result<fs::OpenReply> opened = wire_.run(wire_.fs().open(op_, ino, flags));
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

// Opens what is cached and believed without asking (nocto).
inline fs::Options unasked() {
  fs::Options options;
  options.close_to_open = false;
  options.listings_serve_opendir = true;
  return options;
}

}  // namespace sftpfs::sim
