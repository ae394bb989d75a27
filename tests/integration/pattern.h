// Pattern: pseudo-random bytes that can be made again at any place, so that a gigabyte can be
// written and compared without keeping it.
//
// Threads: immutable.
// Limits:  byte n depends on the seed and n only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sftpfs::test {

class Pattern {
 public:
  explicit Pattern(std::uint64_t seed) : seed_(seed) {}

  void fill(std::uint64_t offset, std::span<char> into) const;
  // Whether `bytes` are what fill() makes at `offset`.
  bool matches(std::uint64_t offset, std::span<const char> bytes) const;

 private:
  std::uint64_t seed_;
};

}  // namespace sftpfs::test
