// Splitting the words of -o, as libfuse and libmount do.
//
//   name, name=value, name=a\,b, name="a,b"
//
// A backslash takes the next character literally (or three octal digits as one, \040). A double
// quote anywhere in a value protects commas up to the next one, as in libmount; quotes that
// enclose a whole value are dropped, others stay: ProxyCommand=sh -c "nc %h 22".
// Threads: a plain value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::app {

struct MountOption {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(const MountOption&, const MountOption&) = default;
};

// In the order written, nothing merged: later ones win when they are applied. Empty words (",,")
// are skipped; control characters are refused, because some values become configuration lines.
Result<std::vector<MountOption>> split_options(std::string_view text);

// The inverse, also for libfuse: backslash before every comma, quote and backslash, joined by
// commas.
std::string join_options(const std::vector<std::string>& words);

}  // namespace sftpfs::app
