// Readahead: tells one descriptor's stream of reads from jumps, and how far to fetch ahead.
//
//   state        read                              next state   fetch ahead
//   new          at offset 0, less than a block    probing      the block only
//   new          at offset 0, a block or more      streaming    eight blocks
//   new          elsewhere                         random       nothing, exact bytes
//   probing      close to the expected offset      streaming    eight blocks
//   streaming    close to the expected offset      streaming    window, growing fourfold
//   any          far from the expected offset      random       nothing, exact bytes
//   random       close to the expected offset      probing      the block only
//
// "Close" has slack: the kernel sends parallel reads of one stream, several workers shuffle them.
// There is less of it until a stream is known.
//
// Ownership: one for each open descriptor.
// Threads:   any; an own mutex, held for a few comparisons.
// Limits:    the window never exceeds what the caller allows in each call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/thread_annotations.h"

namespace sftpfs::fs {

class Readahead {
 public:
  struct Plan {
    bool sequential = false;       // read through the block cache
    std::uint64_t ahead_from = 0;  // fetch [ahead_from, ahead_to) in the background
    std::uint64_t ahead_to = 0;
  };

  // `window_bytes_max` follows the link and the cache; offsets beyond `file_size` are not fetched.
  Plan on_read(std::uint64_t offset, std::size_t size_bytes, std::uint64_t file_size,
               std::size_t block_size_bytes, std::size_t window_bytes_max);

 private:
  enum class State : std::uint8_t { kNew, kRandom, kProbing, kStreaming };

  Mutex mutex_;
  State state_ SFTPFS_GUARDED_BY(mutex_) = State::kNew;
  std::uint64_t expected_ SFTPFS_GUARDED_BY(mutex_) = 0;    // end of the furthest read
  std::uint64_t fetched_to_ SFTPFS_GUARDED_BY(mutex_) = 0;  // end of what was fetched ahead
  std::size_t window_bytes_ SFTPFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace sftpfs::fs
