// Slab: the memory of the block buffers, one anonymous mapping.
//
// Ownership: move-only; unmaps in its destructor.
// Threads:   immutable once mapped; who may use which buffer is the shards' business.
// Limits:    each buffer begins on a page. A buffer never used costs address space, not memory:
//            the kernel gives pages at the first touch.
#pragma once

#include <cstddef>

#include "base/error.h"

namespace sftpfs::cache {

class Slab {
 public:
  // Fails when the size overflows or the kernel refuses it. Zero buffers are a valid slab.
  static Result<Slab> map(std::size_t buffer_size_bytes, std::size_t buffer_count);

  Slab(Slab&& other) noexcept;
  Slab& operator=(Slab&&) = delete;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab();

  std::byte* buffer(std::size_t index) const { return base_ + index * stride_bytes_; }

 private:
  Slab(std::byte* base, std::size_t size_bytes, std::size_t stride_bytes)
      : base_(base), size_bytes_(size_bytes), stride_bytes_(stride_bytes) {}
  std::byte* base_;
  std::size_t size_bytes_;
  std::size_t stride_bytes_;  // the buffer size, rounded up to whole pages
};

}  // namespace sftpfs::cache
