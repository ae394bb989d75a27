// See secret.h.
#include "ssh/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace sftpfs::ssh {

Secret::Secret(std::size_t capacity) : capacity_(capacity) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  mapped_bytes_ = (capacity + 1 + page_bytes - 1) / page_bytes * page_bytes;
  // Whole pages: munlock() and MADV_DONTDUMP work on nothing smaller.
  void* pages =
      ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SFTPFS_CHECK(pages != MAP_FAILED);
  ::madvise(pages, mapped_bytes_, MADV_DONTDUMP);
  // Beyond RLIMIT_MEMLOCK this fails, and a secret that could be swapped is still better than none.
  [[maybe_unused]] const int locked = ::mlock(pages, mapped_bytes_);
  data_ = static_cast<char*>(pages);
}

Secret Secret::copy_of(std::string_view text) {
  Secret secret(std::max(text.size(), kDefaultCapacity));
  secret.append(text);
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
  }
  return *this;
}

bool Secret::append(std::string_view text) {
  if (text.size() > capacity_ - size_) return false;
  if (!text.empty()) std::memcpy(data_ + size_, text.data(), text.size());
  set_size(size_ + text.size());
  return true;
}

void Secret::set_size(std::size_t size) {
  SFTPFS_CHECK(size <= capacity_);
  size_ = size;
  if (data_ != nullptr) data_[size_] = '\0';
}

void Secret::clear() {
  if (data_ != nullptr) OPENSSL_cleanse(data_, mapped_bytes_);
  size_ = 0;
}

void Secret::release() {
  if (data_ == nullptr) return;
  clear();
  ::munmap(data_, mapped_bytes_);
  data_ = nullptr;
}

}  // namespace sftpfs::ssh
