// See readahead.h.
#include "fs/readahead.h"

#include <algorithm>

namespace sftpfs::fs {
namespace {

// How far out of order the reads of one stream may arrive: two kernel windows and their workers.
constexpr std::uint64_t kSlackBytes = 512 * 1024;
// The same for a stream that is not known yet, in sizes of the read: small reads at random places
// of a small file must not pass for streams, or each would bring a whole block.
constexpr std::uint64_t kProbingSlackReads = 2;
// The first window, and how fast it grows to what the link can use.
constexpr std::size_t kFirstWindowBlocks = 8;
constexpr std::size_t kGrowth = 4;

}  // namespace

Readahead::Plan Readahead::on_read(std::uint64_t offset, std::size_t size_bytes,
                                   std::uint64_t file_size, std::size_t block_size_bytes,
                                   std::size_t window_bytes_max) {
  const MutexLock lock(mutex_);
  const std::uint64_t end = offset + size_bytes;
  const std::uint64_t slack = state_ == State::kStreaming
                                  ? kSlackBytes
                                  : std::min(kSlackBytes, kProbingSlackReads * size_bytes);
  const bool close =
      state_ == State::kNew ? offset == 0 : offset <= expected_ + slack && end + slack >= expected_;
  // A stream may come back to a place close behind it once; a jump forgets the stream.
  if (!close) {
    state_ = State::kRandom;
    expected_ = end;
    fetched_to_ = 0;
    window_bytes_ = 0;
    return {};
  }
  // Rereading the same place over and over is no stream.
  const bool advances = end > expected_;
  expected_ = std::max(expected_, end);
  // Who asks for so much at once, from the beginning, goes on.
  const bool eager = state_ == State::kNew && size_bytes >= block_size_bytes;
  if (!eager && (state_ == State::kNew || state_ == State::kRandom)) {
    state_ = State::kProbing;
    return Plan{true, 0, 0};
  }
  if (!advances) return Plan{true, 0, 0};
  if (eager || state_ == State::kProbing) {
    state_ = State::kStreaming;
    window_bytes_ = kFirstWindowBlocks * block_size_bytes;
    fetched_to_ = end;
  }
  window_bytes_ = std::min(window_bytes_, window_bytes_max);
  // While the window grows, half of it is used up before more is fetched. Later it is kept nearly
  // full: what is not under way is speed lost on a long link.
  const bool growing = window_bytes_ < window_bytes_max;
  const std::size_t group =
      growing ? window_bytes_ / 2 : std::max(window_bytes_ / 8, block_size_bytes);
  const std::size_t kept = window_bytes_ - std::min(group, window_bytes_);
  const std::uint64_t target = std::min(expected_ + window_bytes_, file_size);
  if (fetched_to_ < expected_) fetched_to_ = expected_;
  if (fetched_to_ > expected_ + kept || fetched_to_ >= target) {
    return Plan{true, 0, 0};
  }
  const Plan plan{true, fetched_to_, target};
  fetched_to_ = target;
  window_bytes_ = std::min(kGrowth * window_bytes_, window_bytes_max);
  return plan;
}

}  // namespace sftpfs::fs
