// See ssh_complaint.h.
#include "ssh/ssh_complaint.h"

#include <fmt/core.h>

#include <optional>
#include <vector>

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kLinesInError = 2;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) lines.push_back(line);
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

// What follows `from` in the last line that has it, up to `to` (empty: the end of the line).
std::optional<std::string_view> between(const std::vector<std::string_view>& lines,
                                        std::string_view from, std::string_view to) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::size_t at = line->find(from);
    if (at == line->npos) continue;
    const std::string_view rest = line->substr(at + from.size());
    return rest.substr(0, to.empty() ? rest.npos : rest.find(to));
  }
  return std::nullopt;
}

bool any_contains(const std::vector<std::string_view>& lines, std::string_view text) {
  return between(lines, text, {}).has_value();
}

Error changed_host_key(const std::string& peer, const std::vector<std::string_view>& lines) {
  const std::string_view type = between(lines, "The fingerprint for the ", " key").value_or("?");
  std::string_view print;
  for (const std::string_view line : lines) {
    if (line.starts_with("SHA256:") || line.starts_with("MD5:")) print = line;
  }
  while (print.ends_with('.')) print.remove_suffix(1);
  const std::optional<std::string_view> place = between(lines, " key in ", {});
  // Ours (child_host_key.h) is no file that could be edited.
  const bool pinned = !place || place->starts_with("KnownHostsCommand");
  const std::string cure = pinned
                               ? "unmount and mount again if you trust it"
                               : fmt::format("if you trust it, remove the old one at {}", *place);
  return Error(
      ErrorCode::kHostKey,
      fmt::format("{}: host key changed: the server shows {} {}; somebody may be listening "
                  "in; {}",
                  peer, type, print, cure));
}

std::string last_words(const std::vector<std::string_view>& lines) {
  const std::size_t first = lines.size() > kLinesInError ? lines.size() - kLinesInError : 0;
  std::string joined;
  for (std::size_t i = first; i < lines.size(); ++i) {
    if (!joined.empty()) joined += "; ";
    joined += lines[i];
  }
  return joined;
}

ErrorCode code_of(const std::vector<std::string_view>& lines) {
  if (any_contains(lines, "Host key verification failed")) return ErrorCode::kHostKey;
  if (any_contains(lines, "Permission denied (")) return ErrorCode::kAuthentication;
  return ErrorCode::kConnectionLost;
}

}  // namespace

Error ssh_complaint(const std::string& peer, std::string_view said, const std::string& fallback) {
  const std::vector<std::string_view> lines = lines_of(said);
  if (any_contains(lines, "REMOTE HOST IDENTIFICATION HAS CHANGED") &&
      any_contains(lines, "Host key verification failed")) {
    return changed_host_key(peer, lines);
  }
  const std::string words = lines.empty() ? fallback : last_words(lines);
  // Some of ssh's complaints name the peer themselves.
  const bool named = words.starts_with(peer + ": ");
  return Error(code_of(lines), named ? words : fmt::format("{}: {}", peer, words));
}

}  // namespace sftpfs::ssh
