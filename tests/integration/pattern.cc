// See pattern.h.
#include "integration/pattern.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sftpfs::test {

namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

// SplitMix64: a good hash of a counter, and fast.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

void Pattern::fill(std::uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const std::uint64_t word = mix(seed_ ^ mix(offset / kWord));
    const std::size_t skip = offset % kWord;
    const std::size_t count = std::min(kWord - skip, into.size());
    std::memcpy(into.data(), reinterpret_cast<const char*>(&word) + skip, count);
    into = into.subspan(count);
    offset += count;
  }
}

bool Pattern::matches(std::uint64_t offset, std::span<const char> bytes) const {
  std::array<char, 65536> expected;
  while (!bytes.empty()) {
    const std::size_t count = std::min(expected.size(), bytes.size());
    fill(offset, {expected.data(), count});
    if (std::memcmp(expected.data(), bytes.data(), count) != 0) return false;
    bytes = bytes.subspan(count);
    offset += count;
  }
  return true;
}

}  // namespace sftpfs::test
