// known_hosts files, as OpenSSH reads them (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//
// Plain, wildcard, negated and hashed names, "[host]:port", @revoked; @cert-authority lines are
// recognised and never taken for a host's own key. Lines that make no sense are skipped.
// Ownership: a value; the files are read once.
// Threads:   immutable after load().
// Limits:    files beyond 16 MiB are refused; a missing file is an empty one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::ssh {

constexpr std::uint16_t kDefaultPort = 22;

struct KnownHostsLine {
  enum class Marker : std::uint8_t { kNone, kRevoked, kCertAuthority };
  Marker marker = Marker::kNone;
  std::string hosts;  // patterns with commas, or one "|1|salt|hash"
  std::string type;
  std::string blob;
  std::string file;
  std::size_t line = 0;
};

enum class HostKeyMatch : std::uint8_t {
  kMatch,       // this key is known
  kNew,         // nothing is known of this host
  kOtherTypes,  // keys of other types are known, none of this one's: to ssh(1) the same as kChanged
  kChanged,     // a different key of this type is known
  kRevoked,     // this key must never be used
};

struct HostKeyVerdict {
  HostKeyMatch match = HostKeyMatch::kNew;
  // The line that decided, unless kNew; for kOtherTypes the first one found.
  std::optional<KnownHostsLine> line;
  // An @cert-authority line names the host: its keys may be certified rather than listed.
  bool certificate_authority = false;
};

class KnownHosts {
 public:
  // In order; what the user's file says is found before what the system's says.
  static Result<KnownHosts> load(const std::vector<std::string>& files);
  // One file's text; for tests.
  void add_text(const std::string& file, std::string_view text);

  HostKeyVerdict check(const std::string& host, std::uint16_t port, const std::string& blob) const;
  // The types of the keys known for this host, for the order in which we ask for them.
  std::vector<std::string> types_for(const std::string& host, std::uint16_t port) const;
  const std::vector<KnownHostsLine>& lines() const { return lines_; }

 private:
  HostKeyVerdict check_name(const std::string& name, const std::string& blob) const;
  std::vector<KnownHostsLine> lines_;
};

// "host", or "[host]:port" where the port is not 22: how known_hosts names a server.
std::string known_hosts_name(const std::string& host, std::uint16_t port);
// Whether the first field of a line names `name`.
bool known_hosts_field_matches(std::string_view field, std::string_view name);
// Appends a line for `name` to `file`, which is made (0600, its directory 0700) where missing.
Status append_known_host(const std::string& file, const std::string& name, bool hash_name,
                         const std::string& blob);

}  // namespace sftpfs::ssh
