// ByteQueue: bytes in, the same bytes out, always in one contiguous piece.
//
// Ownership: owns its memory, which grows to the largest content and stays.
// Threads:   one thread.
// Limits:    none of its own; the user bounds size(). Pointers die with the next prepare().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/bytes.h"

namespace sftpfs::ssh {

class ByteQueue {
 public:
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  ByteSpan front() const { return {memory_.get() + begin_, size()}; }

  // Room for `count` bytes behind the content; commit() says how many it got.
  MutableByteSpan prepare(std::size_t count) {
    if (capacity_ - end_ < count) make_room(count);
    return {memory_.get() + end_, count};
  }
  void commit(std::size_t count) { end_ += count; }
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void append(ByteSpan bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void clear() { begin_ = end_ = 0; }

 private:
  void make_room(std::size_t count) {
    const std::size_t content = size();
    if (content + count > capacity_) {
      capacity_ = std::max(content + count, 2 * capacity_);
      auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
      if (content > 0) std::memcpy(larger.get(), memory_.get() + begin_, content);
      memory_ = std::move(larger);
    } else {
      std::memmove(memory_.get(), memory_.get() + begin_, content);
    }
    begin_ = 0;
    end_ = content;
  }

  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sftpfs::ssh
