// See values.h.
#include "app/values.h"

#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace sftpfs::app {
namespace {

constexpr std::uint64_t kSecondsMax = 1'000'000'000;
// What getpwnam_r may need for a large directory entry; more is no user of this machine.
constexpr std::size_t kNameServiceBytesMax = 1 << 20;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

tl::unexpected<Error> wrong(std::string_view text, std::string_view expected) {
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is not {}", text, expected));
}

// The digits at the start of `text`; what follows them is left in `rest`.
Result<std::uint64_t> leading_number(std::string_view text, int base, std::string_view& rest) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc()) return wrong(text, "a number");
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

Result<std::uint64_t> times(std::string_view text, std::uint64_t number, std::uint64_t unit) {
  if (number > std::numeric_limits<std::uint64_t>::max() / unit) return wrong(text, "small enough");
  return number * unit;
}

// Calls a get*_r function with a buffer that grows as it asks; the id or -1 when there is none.
template <class Lookup>
std::int64_t look_up_id(Lookup lookup) {
  std::vector<char> buffer(4096);
  while (true) {
    std::int64_t id = -1;
    const int failure = lookup(buffer, id);
    if (failure != ERANGE || buffer.size() >= kNameServiceBytesMax) return id;
    buffer.resize(buffer.size() * 2);
  }
}

Result<std::uint32_t> id_from_number(std::string_view text, std::uint64_t number) {
  // The largest value means "leave as it is" to chown(2).
  if (number >= std::numeric_limits<std::uint32_t>::max()) return wrong(text, "a valid id");
  return static_cast<std::uint32_t>(number);
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

Result<std::uint64_t> parse_number(std::string_view text) {
  std::string_view rest;
  Result<std::uint64_t> number = leading_number(text, 10, rest);
  if (!number || !rest.empty()) return wrong(text, "a number");
  return number;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::string_view kExpected = "a size (examples: 512K, 64M, 2G)";
  std::string_view rest;
  const Result<std::uint64_t> number = leading_number(text, 10, rest);
  if (!number) return wrong(text, kExpected);
  if (rest.empty()) return number;

  static constexpr std::string_view kUnits = "kmgt";
  const std::size_t unit = kUnits.find(lower(rest.front()));
  const std::string_view ending = rest.substr(1);
  const bool ending_fits =
      ending.empty() || equal_ignoring_case(ending, "b") || equal_ignoring_case(ending, "ib");
  if (unit == std::string_view::npos || !ending_fits) return wrong(text, kExpected);
  return times(text, *number, std::uint64_t{1} << (10 * (unit + 1)));
}

Result<double> parse_seconds(std::string_view text) {
  double seconds = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  if (!whole || !std::isfinite(seconds) || seconds < 0 ||
      seconds > static_cast<double>(kSecondsMax)) {
    return wrong(text, "a number of seconds (examples: 20, 0.5)");
  }
  return seconds;
}

Result<std::uint32_t> parse_ssh_time(std::string_view text) {
  static constexpr std::string_view kExpected = "a time (examples: 30, 10m, 1h30m)";
  if (equal_ignoring_case(text, "none")) return std::uint32_t{0};
  if (text.empty()) return wrong(text, kExpected);

  std::uint64_t total_s = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const Result<std::uint64_t> number = leading_number(rest, 10, rest);
    if (!number) return wrong(text, kExpected);
    std::uint64_t unit_s = 1;
    if (!rest.empty()) {
      switch (lower(rest.front())) {
        case 's': unit_s = 1; break;
        case 'm': unit_s = 60; break;
        case 'h': unit_s = 3600; break;
        case 'd': unit_s = 86400; break;
        case 'w': unit_s = 604800; break;
        default: return wrong(text, kExpected);
      }
      rest.remove_prefix(1);
    }
    const Result<std::uint64_t> part_s = times(text, *number, unit_s);
    if (!part_s || *part_s > kSecondsMax || total_s + *part_s > kSecondsMax) {
      return wrong(text, kExpected);
    }
    total_s += *part_s;
  }
  return static_cast<std::uint32_t>(total_s);
}

Result<bool> parse_switch(std::string_view text) {
  for (const std::string_view word : {"yes", "true", "on", "1"}) {
    if (equal_ignoring_case(text, word)) return true;
  }
  for (const std::string_view word : {"no", "false", "off", "0"}) {
    if (equal_ignoring_case(text, word)) return false;
  }
  return wrong(text, "yes or no");
}

Result<std::uint32_t> parse_umask(std::string_view text) {
  std::string_view rest;
  const Result<std::uint64_t> bits = leading_number(text, 8, rest);
  if (!bits || !rest.empty() || *bits > 0777) return wrong(text, "an octal mask (example: 022)");
  return static_cast<std::uint32_t>(*bits);
}

Result<std::uint32_t> parse_uid(std::string_view text) {
  if (const Result<std::uint64_t> number = parse_number(text)) return id_from_number(text, *number);
  const std::string name(text);
  const std::int64_t id = look_up_id([&name](std::vector<char>& buffer, std::int64_t& found_id) {
    passwd entry{};
    passwd* found = nullptr;
    const int failure = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) found_id = entry.pw_uid;
    return failure;
  });
  if (id < 0) return wrong(text, "a user of this machine");
  return static_cast<std::uint32_t>(id);
}

Result<std::uint32_t> parse_gid(std::string_view text) {
  if (const Result<std::uint64_t> number = parse_number(text)) return id_from_number(text, *number);
  const std::string name(text);
  const std::int64_t id = look_up_id([&name](std::vector<char>& buffer, std::int64_t& found_id) {
    group entry{};
    group* found = nullptr;
    const int failure = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) found_id = entry.gr_gid;
    return failure;
  });
  if (id < 0) return wrong(text, "a group of this machine");
  return static_cast<std::uint32_t>(id);
}

}  // namespace sftpfs::app
