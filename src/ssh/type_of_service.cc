// See type_of_service.h.
#include "ssh/type_of_service.h"

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "ssh/client_config.h"

namespace sftpfs::ssh {

std::optional<int> type_of_service(std::string_view words) {
  using Name = std::pair<std::string_view, int>;
  // RFC 2474, 2597, 3246 and 8622; the last three are of the older RFC 1349.
  static constexpr std::array<Name, 26> kNames{{
      {"af11", 0x28},       {"af12", 0x30},        {"af13", 0x38}, {"af21", 0x48},
      {"af22", 0x50},       {"af23", 0x58},        {"af31", 0x68}, {"af32", 0x70},
      {"af33", 0x78},       {"af41", 0x88},        {"af42", 0x90}, {"af43", 0x98},
      {"cs0", 0x00},        {"cs1", 0x20},         {"cs2", 0x40},  {"cs3", 0x60},
      {"cs4", 0x80},        {"cs5", 0xa0},         {"cs6", 0xc0},  {"cs7", 0xe0},
      {"ef", 0xb8},         {"le", 0x04},          {"va", 0xb0},   {"lowdelay", 0x10},
      {"throughput", 0x08}, {"reliability", 0x04},
  }};
  const std::size_t blank = words.find_last_of(" \t");
  const std::string word =
      lower_case(blank == std::string_view::npos ? words : words.substr(blank + 1));
  for (const auto& [name, value] : kNames) {
    if (word == name) return value;
  }
  const bool hexadecimal = word.starts_with("0x");
  const char* begin = word.data() + (hexadecimal ? 2 : 0);
  const char* end = word.data() + word.size();
  int value = 0;
  const auto [stopped, error] = std::from_chars(begin, end, value, hexadecimal ? 16 : 10);
  const bool good = error == std::errc() && stopped == end && value >= 0 && value <= 0xff;
  return good ? std::optional<int>(value) : std::nullopt;
}

}  // namespace sftpfs::ssh
