// See slab.h.
#include "cache/slab.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace sftpfs::cache {

Result<Slab> Slab::map(std::size_t buffer_size_bytes, std::size_t buffer_count) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t stride_bytes = 0;
  std::size_t size_bytes = 0;
  if (__builtin_add_overflow(buffer_size_bytes, page_bytes - 1, &stride_bytes) ||
      __builtin_mul_overflow(stride_bytes / page_bytes * page_bytes, buffer_count, &size_bytes)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("a cache of {} blocks of {} bytes exceeds the address space; choose a "
                            "smaller one",
                            buffer_count, buffer_size_bytes));
  }
  stride_bytes = stride_bytes / page_bytes * page_bytes;
  if (size_bytes == 0) return Slab(nullptr, 0, stride_bytes);

  void* base = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return fail(Error::system(
        errno, fmt::format("reserving {} bytes for the cache (choose a smaller one)", size_bytes)));
  }
  return Slab(static_cast<std::byte*>(base), size_bytes, stride_bytes);
}

Slab::Slab(Slab&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      stride_bytes_(other.stride_bytes_) {}

Slab::~Slab() {
  if (base_ != nullptr) ::munmap(base_, size_bytes_);
}

}  // namespace sftpfs::cache
