// BlockKey: names one block of one state of one file, and how it is hashed.
//
// Threads: a plain value.
#pragma once

#include <cstdint>

namespace sftpfs::cache {

// A block of one state of one file: a changed file gets a new generation.
struct BlockKey {
  std::uint64_t inode = 0;
  std::uint64_t generation = 0;
  std::uint64_t block = 0;
  friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

// The finaliser of splitmix64: every input bit reaches every output bit.
inline std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

inline std::uint64_t hash_key(std::uint64_t inode, std::uint64_t generation, std::uint64_t block) {
  // The odd constant keeps {0, 0, 0} away from the fixed point at zero.
  const std::uint64_t file = mix_bits(mix_bits(inode + 0x9e3779b97f4a7c15U) + generation);
  return mix_bits(file + block);
}

}  // namespace sftpfs::cache
