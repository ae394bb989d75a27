// See wire.h.
#include "ssh/wire.h"

#include <cstddef>

namespace sftpfs::ssh {

std::string_view WireReader::take(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::uint8_t WireReader::u8() {
  const std::string_view bytes = take(1);
  return bytes.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes[0]);
}

std::uint32_t WireReader::u32() {
  std::uint32_t value = 0;
  for (const char c : take(4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string_view WireReader::str() {
  const std::uint32_t size = u32();
  return take(size);
}

WireWriter& WireWriter::u8(std::uint8_t value) {
  text_.push_back(static_cast<char>(value));
  return *this;
}

WireWriter& WireWriter::u32(std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) u8(static_cast<std::uint8_t>(value >> shift));
  return *this;
}

WireWriter& WireWriter::str(std::string_view text) {
  u32(static_cast<std::uint32_t>(text.size()));
  text_ += text;
  return *this;
}

WireWriter& WireWriter::mpint(std::string_view magnitude) {
  while (!magnitude.empty() && magnitude.front() == '\0') magnitude.remove_prefix(1);
  // A set top bit would make the number negative.
  const bool pad = !magnitude.empty() && static_cast<unsigned char>(magnitude.front()) >= 0x80;
  u32(static_cast<std::uint32_t>(magnitude.size() + (pad ? 1 : 0)));
  if (pad) u8(0);
  text_ += magnitude;
  return *this;
}

}  // namespace sftpfs::ssh
