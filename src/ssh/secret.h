// Secret: a password, a passphrase or a private key in pages of its own that are locked into
// memory, left out of core dumps and wiped before they are given back.
//
// Ownership: move-only; clone() is the one, visible way to copy.
// Threads:   one thread at a time.
// Limits:    the capacity is fixed at construction, so nothing is ever moved and left behind.
//            Where the limit on locked memory is used up the pages are not locked.
#pragma once

#include <cstddef>
#include <string_view>

namespace sftpfs::ssh {

class Secret {
 public:
  static constexpr std::size_t kDefaultCapacity = 4095;

  Secret() = default;  // empty, capacity 0
  explicit Secret(std::size_t capacity);
  static Secret copy_of(std::string_view text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { release(); }

  Secret clone() const { return copy_of(view()); }
  std::string_view view() const { return {data_, size_}; }
  // Ends in NUL, for C interfaces.
  const char* c_str() const { return data_ == nullptr ? "" : data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  // False, and nothing appended, when it does not fit.
  bool append(std::string_view text);
  // For reading straight into it: capacity() bytes, of which the first `size` then count.
  char* buffer() { return data_; }
  void set_size(std::size_t size);
  // Wipes the bytes; the capacity stays.
  void clear();

 private:
  void release();

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t mapped_bytes_ = 0;
};

}  // namespace sftpfs::ssh
