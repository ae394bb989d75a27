// MemoryLimit: a control group in which processes get no more memory than that.
//
// Ownership: the object owns the group; its processes go back to where they were, or end, before.
// Threads:   one thread per object.
// Limits:    needs root and a hierarchy with the memory controller, of version 1 or 2; swap, where
//            there is some, is not limited.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

namespace sftpfs::test {

class MemoryLimit {
 public:
  // Empty: there is no such hierarchy on this machine.
  static std::optional<MemoryLimit> make(std::size_t bytes);
  ~MemoryLimit();
  MemoryLimit(MemoryLimit&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  MemoryLimit& operator=(MemoryLimit&&) = delete;
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  bool add(pid_t pid) const;

 private:
  explicit MemoryLimit(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace sftpfs::test
