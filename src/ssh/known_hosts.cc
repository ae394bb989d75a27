// See known_hosts.h.
#include "ssh/known_hosts.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "base/unique_fd.h"
#include "ssh/base64.h"
#include "ssh/public_key.h"
#include "ssh/wildcard.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{16} << 20;
constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kHashMagic = "|1|";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Takes the next word off the front of `text`.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

std::string hash_name(std::string_view salt, std::string_view name) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha1(), salt.data(), static_cast<int>(salt.size()),
       reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

bool hashed_match(std::string_view field, std::string_view name) {
  field.remove_prefix(kHashMagic.size());
  const std::size_t bar = field.find('|');
  if (bar == std::string_view::npos) return false;
  const std::optional<std::string> salt = base64_decode(field.substr(0, bar));
  const std::optional<std::string> wanted = base64_decode(field.substr(bar + 1));
  return salt && wanted && hash_name(*salt, name) == *wanted;
}

std::optional<KnownHostsLine> parse_line(std::string_view text) {
  KnownHostsLine line;
  std::string_view word = next_word(text);
  if (word.empty() || word.front() == '#') return std::nullopt;
  if (word.front() == '@') {
    if (word == "@revoked") {
      line.marker = KnownHostsLine::Marker::kRevoked;
    } else if (word == "@cert-authority") {
      line.marker = KnownHostsLine::Marker::kCertAuthority;
    } else {
      return std::nullopt;
    }
    word = next_word(text);
  }
  line.hosts = word;
  line.type = next_word(text);
  std::optional<std::string> blob = base64_decode(next_word(text));
  // The name inside the key counts; a line where both disagree is damaged (or of SSH 1).
  if (!blob || line.type.empty() || key_type(*blob) != line.type) return std::nullopt;
  line.blob = std::move(*blob);
  return line;
}

Result<std::string> read_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return std::string();
    return fail(Error::system(errno, path));
  }
  std::string text;
  std::array<char, 65536> chunk{};
  while (true) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::system(errno, path));
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > kFileBytesMax) {
      return fail(ErrorCode::kHostKey, path + ": too large for a known_hosts file");
    }
  }
}

// Whether what is appended would continue an unfinished last line.
bool ends_inside_line(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  char last = '\n';
  return size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

std::string known_hosts_name(const std::string& host, std::uint16_t port) {
  const std::string name = lower(host);
  return port == kDefaultPort || port == 0 ? name : fmt::format("[{}]:{}", name, port);
}

bool known_hosts_field_matches(std::string_view field, std::string_view name) {
  if (field.starts_with(kHashMagic)) return hashed_match(field, name);
  bool matched = false;
  while (!field.empty()) {
    const std::string_view item = field.substr(0, field.find(','));
    field.remove_prefix(std::min(item.size() + 1, field.size()));
    const bool negated = item.starts_with('!');
    const std::string pattern = lower(negated ? item.substr(1) : item);
    if (pattern.empty() || !wildcard_match(pattern, name)) continue;
    // A negated pattern that matches rules the whole line out, whatever else it names.
    if (negated) return false;
    matched = true;
  }
  return matched;
}

Result<KnownHosts> KnownHosts::load(const std::vector<std::string>& files) {
  KnownHosts known;
  for (const std::string& file : files) {
    Result<std::string> text = read_text(file);
    if (!text) return fail(text.error());
    known.add_text(file, *text);
  }
  return known;
}

void KnownHosts::add_text(const std::string& file, std::string_view text) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(row.size() + 1, text.size()));
    std::optional<KnownHostsLine> line = parse_line(row);
    if (!line) continue;
    line->file = file;
    line->line = number;
    lines_.push_back(std::move(*line));
  }
}

HostKeyVerdict KnownHosts::check_name(const std::string& name, const std::string& blob) const {
  HostKeyVerdict verdict;
  const std::string type = key_type(blob);
  for (const KnownHostsLine& line : lines_) {
    if (!known_hosts_field_matches(line.hosts, name)) continue;
    if (line.marker == KnownHostsLine::Marker::kCertAuthority) {
      verdict.certificate_authority = true;
      continue;
    }
    if (line.marker == KnownHostsLine::Marker::kRevoked) {
      // A revoked key is refused even where another line, before or behind, vouches for it.
      if (line.blob == blob) return {HostKeyMatch::kRevoked, line, false};
      continue;
    }
    const HostKeyMatch here = line.blob == blob   ? HostKeyMatch::kMatch
                              : line.type == type ? HostKeyMatch::kChanged
                                                  : HostKeyMatch::kOtherTypes;
    const bool decides =
        verdict.match != HostKeyMatch::kMatch &&
        (here == HostKeyMatch::kMatch || verdict.match == HostKeyMatch::kNew ||
         (here == HostKeyMatch::kChanged && verdict.match == HostKeyMatch::kOtherTypes));
    if (decides) {
      verdict.match = here;
      verdict.line = line;
    }
  }
  return verdict;
}

HostKeyVerdict KnownHosts::check(const std::string& host, std::uint16_t port,
                                 const std::string& blob) const {
  const HostKeyVerdict exact = check_name(known_hosts_name(host, port), blob);
  if (exact.match != HostKeyMatch::kNew || port == kDefaultPort) return exact;
  // As ssh does: a key recorded without a port vouches for the host's other ports too, but a
  // different key there says nothing.
  const HostKeyVerdict plain = check_name(known_hosts_name(host, kDefaultPort), blob);
  const bool counts = plain.match == HostKeyMatch::kMatch || plain.match == HostKeyMatch::kRevoked;
  return counts ? plain : exact;
}

std::vector<std::string> KnownHosts::types_for(const std::string& host, std::uint16_t port) const {
  std::vector<std::string> types;
  for (const std::string& name : {known_hosts_name(host, port), known_hosts_name(host, 0)}) {
    for (const KnownHostsLine& line : lines_) {
      if (line.marker != KnownHostsLine::Marker::kNone) continue;
      if (!known_hosts_field_matches(line.hosts, name)) continue;
      if (std::find(types.begin(), types.end(), line.type) == types.end()) {
        types.push_back(line.type);
      }
    }
    if (!types.empty()) break;
  }
  return types;
}

Status append_known_host(const std::string& file, const std::string& name, bool hash_it,
                         const std::string& blob) {
  const std::size_t slash = file.rfind('/');
  if (slash != std::string::npos && slash > 0 &&
      ::mkdir(file.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Error::system(errno, file.substr(0, slash)));
  }
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(Error::system(errno, file));
  std::string shown = name;
  if (hash_it) {
    std::array<unsigned char, 20> salt{};
    if (RAND_bytes(salt.data(), salt.size()) != 1) {
      return fail(ErrorCode::kSystem, file + ": no randomness for a hashed name");
    }
    const std::string_view salt_text(reinterpret_cast<const char*>(salt.data()), salt.size());
    shown = fmt::format("{}{}|{}", kHashMagic, base64_encode(salt_text),
                        base64_encode(hash_name(salt_text, name)));
  }
  const std::string line = fmt::format("{}{} {} {}\n", ends_inside_line(fd.get()) ? "\n" : "",
                                       shown, key_type(blob), base64_encode(blob));
  // One write: with O_APPEND two programmes at once still yield two whole lines.
  const ssize_t written = ::write(fd.get(), line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    return fail(Error::system(written < 0 ? errno : ENOSPC, file));
  }
  return {};
}

}  // namespace sftpfs::ssh
