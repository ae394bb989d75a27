// Tree: the operations of a directory tree as a programme sees them, for two implementations whose
// answers must be equal: a plain directory (posix_tree.h), and the file system under test behind
// what a kernel does (kernel_tree.h).
//
// Paths are relative to the root, "" is the root itself. Symbolic links are not followed.
// Ownership: each tree owns its open files, which have slot numbers chosen by the caller.
// Threads:   the test's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sftpfs::model {

// What a programme gets: an errno, or a result as text (bytes, a listing, attributes).
struct Answer {
  int error = 0;
  std::string text;
  friend bool operator==(const Answer&, const Answer&) = default;
};

struct ReadRequest {
  int slot = 0;
  std::uint64_t offset = 0;
  std::size_t size_bytes = 0;
};

class Tree {
 public:
  virtual ~Tree() = default;

  virtual Answer mkdir(const std::string& path, unsigned mode) = 0;
  virtual Answer rmdir(const std::string& path) = 0;
  virtual Answer unlink(const std::string& path) = 0;
  virtual Answer rename(const std::string& from, const std::string& to, bool replace) = 0;
  virtual Answer link(const std::string& existing, const std::string& path) = 0;
  virtual Answer symlink(const std::string& target, const std::string& path) = 0;
  virtual Answer readlink(const std::string& path) = 0;
  // "<type> <permissions> <size>", without the size for directories.
  virtual Answer stat(const std::string& path) = 0;
  virtual Answer truncate(const std::string& path, std::uint64_t size) = 0;
  virtual Answer chmod(const std::string& path, unsigned mode) = 0;
  virtual Answer utimens(const std::string& path, std::int64_t seconds) = 0;
  // The names, sorted; `at_once` names are asked for at a time.
  virtual Answer list(const std::string& path, int at_once) = 0;

  virtual Answer open(int slot, const std::string& path, int flags, unsigned mode) = 0;
  virtual Answer write(int slot, std::uint64_t offset, const std::string& data) = 0;
  // All at the same time.
  virtual std::vector<Answer> read(const std::vector<ReadRequest>& requests) = 0;
  virtual Answer ftruncate(int slot, std::uint64_t size) = 0;
  virtual Answer fstat(int slot) = 0;
  virtual Answer fsync(int slot) = 0;
  virtual Answer close(int slot) = 0;
  virtual Answer copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                            std::size_t size_bytes) = 0;
};

// "f 644 17"
std::string attributes_text(std::uint32_t mode, std::uint64_t size);

}  // namespace sftpfs::model
