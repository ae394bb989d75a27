// The data types of SSH (RFC 4251 section 5) as keys and the agent use them.
//
// Threads: plain values.
// Limits:  a reader never looks beyond its text; after the first bad field everything it yields
//          is empty and ok() is false.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sftpfs::ssh {

class WireReader {
 public:
  explicit WireReader(std::string_view text) : rest_(text) {}

  std::uint8_t u8();
  std::uint32_t u32();
  std::string_view str();
  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view take(std::size_t count);
  std::string_view rest_;
  bool ok_ = true;
};

class WireWriter {
 public:
  WireWriter& u8(std::uint8_t value);
  WireWriter& u32(std::uint32_t value);
  WireWriter& str(std::string_view text);
  // A non-negative number from its big-endian bytes.
  WireWriter& mpint(std::string_view magnitude);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace sftpfs::ssh
