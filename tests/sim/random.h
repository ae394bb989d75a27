// Random: a small fast generator (splitmix64) from which everything in a simulated schedule comes.
//
// Ownership: a plain value; parts of a schedule have generators of their own, so that a change in
//            one does not shift the others.
// Threads:   one thread.
// Limits:    good enough for schedules, not for anything else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace sftpfs::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + below(most - least + 1);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  void fill(std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = next();
      std::memcpy(bytes.data() + at, &word, std::min(sizeof(word), bytes.size() - at));
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace sftpfs::sim
