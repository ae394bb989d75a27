// See ssh_complaint.h.
#include "ssh/ssh_complaint.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "ssh/known_hosts.h"
#include "ssh/messages.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kLinesInError = 2;
// Not kConnectionLost: there never was a connection that could have been lost.
constexpr ErrorCode kNotReached = ErrorCode::kTimedOut;

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
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
std::optional<std::string_view> between(const Lines& lines, std::string_view from,
                                        std::string_view to) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::size_t at = line->find(from);
    if (at == line->npos) continue;
    const std::string_view rest = line->substr(at + from.size());
    return rest.substr(0, to.empty() ? rest.npos : rest.find(to));
  }
  return std::nullopt;
}

bool any_contains(const Lines& lines, std::string_view text) {
  return between(lines, text, {}).has_value();
}

// "ED25519 SHA256:..." of the key that stands at "file:line"; empty where that cannot be read.
std::string key_at(std::string_view place) {
  const std::size_t colon = place.rfind(':');
  std::size_t number = 0;
  const std::string_view digits =
      colon == place.npos ? std::string_view() : place.substr(colon + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (number == 0) return {};
  const Result<KnownHosts> known = KnownHosts::load({std::string(place.substr(0, colon))});
  if (!known) return {};
  for (const KnownHostsLine& line : known->lines()) {
    if (line.line == number) return describe_key(line.blob);
  }
  return {};
}

Error changed_host_key(const std::string& peer, const Lines& lines) {
  const std::string_view type = between(lines, "The fingerprint for the ", " key").value_or("?");
  std::string_view print;
  for (const std::string_view line : lines) {
    if (line.starts_with("SHA256:") || line.starts_with("MD5:")) print = line;
  }
  while (print.ends_with('.')) print.remove_suffix(1);
  const std::optional<std::string_view> place = between(lines, " key in ", {});
  // Ours (child_host_key.h) is no file that could be edited.
  const bool pinned = !place || place->starts_with("KnownHostsCommand");
  if (pinned) {
    return Error(ErrorCode::kHostKey,
                 fmt::format("{}: host key changed: the server shows {} {}; somebody may be "
                             "listening in; unmount and mount again if you trust it",
                             peer, type, print));
  }
  const std::string known = key_at(*place);
  return Error(ErrorCode::kHostKey,
               fmt::format("{}: host key changed: {} has {}, the server shows {} {}; somebody may "
                           "be listening in; if you trust the new key, remove that line",
                           peer, *place, known.empty() ? "another" : known, type, print));
}

std::string last_words(const Lines& lines) {
  const std::size_t first = lines.size() > kLinesInError ? lines.size() - kLinesInError : 0;
  std::string joined;
  for (std::size_t i = first; i < lines.size(); ++i) {
    if (!joined.empty()) joined += "; ";
    joined += lines[i];
  }
  return joined;
}

// "ssh: connect to host H port P: cause"
std::optional<Error> unreachable(const std::string& /*peer*/, const Lines& lines) {
  const auto host = between(lines, "connect to host ", " port ");
  const auto rest = between(lines, " port ", {});
  if (!host || !rest) return std::nullopt;
  const std::string_view port = rest->substr(0, rest->find(':'));
  const std::string_view cause = rest->substr(std::min(rest->size(), port.size() + 2));
  const std::string where = fmt::format("cannot connect to {} port {}: ", *host, port);
  if (cause == "Connection timed out") {
    return Error(kNotReached, where + no_answer_text(std::string(port)));
  }
  return Error(kNotReached, fmt::format("{}{}{}", where, cause, unreachable_cure(cause)));
}

// "ssh: Could not resolve hostname H: cause"
std::optional<Error> unresolved(const std::string& /*peer*/, const Lines& lines) {
  const auto rest = between(lines, "Could not resolve hostname ", {});
  if (!rest) return std::nullopt;
  const std::string_view host = rest->substr(0, rest->find(": "));
  const std::string_view cause = rest->substr(std::min(rest->size(), host.size() + 2));
  return Error(
      kNotReached,
      fmt::format("cannot find host \"{}\": {}; check the name, or the name server", host, cause));
}

std::optional<Error> silent(const std::string& peer, const Lines& lines) {
  const bool timed_out =
      any_contains(lines, "timed out during banner exchange") ||
      (any_contains(lines, "Connection to ") && any_contains(lines, "timed out"));
  if (!timed_out) return std::nullopt;
  return Error(kNotReached, fmt::format("{}{}", peer, kSilentText));
}

std::optional<Error> no_greeting(const std::string& peer, const Lines& lines) {
  const auto cause = between(lines, "kex_exchange_identification: ", {});
  if (!cause) return std::nullopt;
  return Error(kNotReached, fmt::format("{}{} ({})", peer, kNoGreetingText, *cause));
}

// "Connection closed by A port P", which is all that OpenSSH 10 says of a missing greeting, too.
std::optional<Error> hung_up(const std::string& peer, const Lines& lines) {
  const std::string_view last = lines.empty() ? std::string_view() : lines.back();
  const bool early =
      last.starts_with("Connection closed by ") || last.starts_with("Connection reset by ");
  if (!early) return std::nullopt;
  return Error(kNotReached, fmt::format("{}{} ({})", peer, kHungUpText, last));
}

// "Unable to negotiate with A port P: no matching cipher found. Their offer: LIST"
std::optional<Error> nothing_in_common(const std::string& peer, const Lines& lines) {
  const auto kind = between(lines, "no matching ", " found");
  if (!kind) return std::nullopt;
  const std::string_view word = *kind == "cipher"                ? "Ciphers"
                                : *kind == "MAC"                 ? "MACs"
                                : *kind == "key exchange method" ? "KexAlgorithms"
                                                                 : "HostKeyAlgorithms";
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("{}: no algorithm in common with the server: no matching {}, it offers "
                  "{}; if you want one of these, use -o {}=",
                  peer, *kind, between(lines, "Their offer: ", {}).value_or("nothing"), word));
}

std::optional<Error> unknown_host_key(const std::string& peer, const Lines& lines) {
  const auto type = between(lines, "No ", " host key is known for ");
  const auto name = between(lines, " host key is known for ", " and you have");
  if (!type || !name) return std::nullopt;
  return Error(ErrorCode::kHostKey, fmt::format("{}: host key of {} is not known ({}); {}", peer,
                                                *name, *type, kUnknownHostCure));
}

std::optional<Error> revoked_host_key(const std::string& peer, const Lines& lines) {
  const auto name = between(lines, " host key for ", " was revoked");
  if (!name) return std::nullopt;
  return Error(ErrorCode::kHostKey,
               fmt::format("{}: host key of {} is revoked; do not trust this server", peer, *name));
}

std::optional<Error> too_many_tries(const std::string& peer, const Lines& lines) {
  if (!any_contains(lines, "Too many authentication failures")) return std::nullopt;
  return Error(ErrorCode::kAuthentication,
               fmt::format("{}: too many authentication failures; name the right key with "
                           "-o IdentityFile= and -o IdentitiesOnly=yes",
                           peer));
}

std::optional<Error> no_subsystem(const std::string& peer, const Lines& lines) {
  if (!any_contains(lines, "subsystem request failed")) return std::nullopt;
  return Error(ErrorCode::kUnsupported,
               fmt::format("{}: the server refused to start the SFTP subsystem; {}", peer,
                           kNoSubsystemCure));
}

ErrorCode code_of(const Lines& lines) {
  if (any_contains(lines, "Host key verification failed")) return ErrorCode::kHostKey;
  if (any_contains(lines, "Permission denied (")) return ErrorCode::kAuthentication;
  return ErrorCode::kConnectionLost;
}

}  // namespace

Error ssh_complaint(const std::string& peer, std::string_view said, const std::string& fallback,
                    LoginStage stage) {
  const Lines lines = lines_of(said);
  if (any_contains(lines, "REMOTE HOST IDENTIFICATION HAS CHANGED") &&
      any_contains(lines, "Host key verification failed")) {
    return changed_host_key(peer, lines);
  }
  using Reading = std::optional<Error> (*)(const std::string& peer, const Lines& lines);
  static constexpr std::array<Reading, 9> kReadings{
      &unknown_host_key, &revoked_host_key,  &unresolved,     &unreachable, &silent,
      &no_greeting,      &nothing_in_common, &too_many_tries, &no_subsystem};
  for (const Reading read : kReadings) {
    if (std::optional<Error> error = read(peer, lines)) return *error;
  }
  if (stage == LoginStage::kLoggingIn) {
    if (std::optional<Error> error = hung_up(peer, lines)) return *error;
  }
  const std::string words = lines.empty() ? fallback : last_words(lines);
  // Some of ssh's complaints name the peer themselves.
  const bool named = words.starts_with(peer + ": ");
  return Error(code_of(lines), named ? words : fmt::format("{}: {}", peer, words));
}

}  // namespace sftpfs::ssh
