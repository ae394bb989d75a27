// FuzzInput: takes numbers and texts out of a fuzzer's bytes; when they are used up everything is
// zero or empty.
//
// Ownership: views the fuzzer's bytes.
// Threads:   a plain value.
// Limits:    never looks past its bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace sftpfs::fuzz {

// A broken promise: ends the process, which is what a fuzzer sees.
inline void require(bool condition) {
  if (!condition) std::abort();
}

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size_bytes)
      : rest_(reinterpret_cast<const char*>(data), size_bytes) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint32_t number(int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  // At most `size_bytes`.
  std::string_view text(std::size_t size_bytes) {
    const std::string_view taken = rest_.substr(0, size_bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // Up to the next newline, which is taken as well.
  std::string_view line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return taken;
  }
  std::string_view rest() { return text(rest_.size()); }

 private:
  std::string_view rest_;
};

// Neither control characters nor a second line: what may stand in the log or on a terminal.
inline bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace sftpfs::fuzz
