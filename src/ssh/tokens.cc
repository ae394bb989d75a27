// See tokens.h.
#include "ssh/tokens.h"

#include <fmt/core.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <vector>

namespace sftpfs::ssh {
namespace {

std::string local_host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

// "%C": one name for local host, host, port, user and jump host.
std::string connection_hash(const TokenValues& values) {
  const std::string text =
      fmt::format("{}{}{}{}{}", local_host(), values.host, values.port, values.user, values.jump);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) {
    return {};
  }
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::optional<std::string> token(char letter, const TokenValues& values) {
  switch (letter) {
    case '%': return "%";
    case 'C': return connection_hash(values);
    case 'd': return values.home;
    case 'h': return values.host;
    case 'i': return std::to_string(::getuid());
    case 'j': return values.jump;
    case 'k': return values.known_as;
    case 'L': {
      const std::string name = local_host();
      return name.substr(0, name.find('.'));
    }
    case 'l': return local_host();
    case 'n': return values.original_host;
    case 'p': return std::to_string(values.port);
    case 'r': return values.user;
    case 'u': return values.local_user;
    default: return std::nullopt;
  }
}

Result<std::string> home_of(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return fail(ErrorCode::kInvalid, fmt::format("~{}: no such user", name));
  }
  return std::string(found->pw_dir);
}

Result<std::string> expand_tilde(std::string_view text, const TokenValues& values) {
  if (!text.starts_with('~')) return std::string(text);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view rest = text.substr(slash);
  if (slash == 1) return values.home + std::string(rest);
  Result<std::string> home = home_of(std::string(text.substr(1, slash - 1)));
  if (!home) return home;
  return *home + std::string(rest);
}

Result<std::string> expand_variables(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = text.substr(i).starts_with("${") ? text.find('}', i) : text.npos;
    if (end == text.npos) {
      out.push_back(text[i]);
      continue;
    }
    const std::string name(text.substr(i + 2, end - i - 2));
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\": {} is not set", text, name));
    }
    // What a variable holds is taken as it is, percent signs too.
    for (const char c : std::string_view(value)) out.append(c == '%' ? 2 : 1, c);
    i = end;
  }
  return out;
}

}  // namespace

Result<std::string> expand_percent(std::string_view text, const TokenValues& values) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    ++i;
    const std::optional<std::string> value =
        i < text.size() ? token(text[i], values) : std::nullopt;
    if (!value) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\": unknown token, \"%%\" is a percent sign", text));
    }
    out += *value;
  }
  return out;
}

Result<std::string> expand_path(std::string_view text, const TokenValues& values) {
  Result<std::string> path = expand_tilde(text, values);
  if (path) path = expand_variables(*path);
  if (path) path = expand_percent(*path, values);
  return path;
}

}  // namespace sftpfs::ssh
