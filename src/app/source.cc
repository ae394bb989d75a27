// See source.h.
#include "app/source.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/printable.h"

namespace sftpfs::app {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

tl::unexpected<Error> wrong(std::string_view text, std::string_view cause) {
  return fail(ErrorCode::kInvalid, fmt::format("source '{}': {} (expected [user@]host:[directory])",
                                               printable(text), cause));
}

struct Split {
  std::string login;  // [user@]host without brackets
  std::string_view directory;
};

Result<Split> split_at_colon(std::string_view text) {
  Split split;
  bool bracketed = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[') {
      if (bracketed) return wrong(text, "'[' inside brackets");
      bracketed = true;
    } else if (c == ']') {
      if (!bracketed) return wrong(text, "']' without '['");
      bracketed = false;
    } else if (c == ':' && !bracketed) {
      split.directory = text.substr(i + 1);
      return split;
    } else if (c == '/' && !bracketed) {
      break;  // a path: a colon behind it belongs to a file name
    } else {
      split.login.push_back(c);
    }
  }
  if (bracketed) return wrong(text, "missing ']'");
  return wrong(text, "no ':' after the host");
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return fail(ErrorCode::kInvalid, "source: control characters are not allowed");
  }
  Result<Split> split = split_at_colon(text);
  if (!split) return fail(split.error());

  Source source;
  source.text = text;
  source.directory = split->directory;
  const std::size_t at = split->login.rfind('@');
  if (at == std::string::npos) {
    source.host = split->login;
  } else {
    source.user = split->login.substr(0, at);
    source.host = split->login.substr(at + 1);
    if (source.user.empty()) return wrong(text, "empty user name");
  }
  if (source.host.empty()) return source;
  // ssh(1) would take such a word for an option and run commands with it.
  if (source.host.front() == '-') return wrong(text, "a host name must not start with '-'");
  if (!source.user.empty() && source.user.front() == '-') {
    return wrong(text, "a user name must not start with '-'");
  }
  if (source.host.find(' ') != std::string::npos) return wrong(text, "blank in the host name");
  return source;
}

}  // namespace sftpfs::app
