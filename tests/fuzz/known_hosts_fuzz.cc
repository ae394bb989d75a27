// Fuzzes known_hosts: the first line of the input is the host that is looked for, the second its
// key in base64, the rest is the file.
#include <string>
#include <string_view>

#include "fuzz/fuzz_input.h"
#include "ssh/base64.h"
#include "ssh/known_hosts.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

using fuzz::require;

// What is written must be found again, and mean the same.
void check_round_trip(const std::string& host, std::uint16_t port, const std::string& blob) {
  const std::string type = key_type(blob);
  if (host.empty() || type.empty() ||
      host.find_first_of(" \t\r\n\v\f,*?![]|#@:") != std::string::npos ||
      type.find_first_of(" \t\r\n\v\f") != std::string::npos ||
      host.find('\0') != std::string::npos || type.find('\0') != std::string::npos) {
    return;
  }
  KnownHosts hosts;
  hosts.add_text("written", known_hosts_name(host, port) + " " + type + " " + base64_encode(blob));
  require(hosts.check(host, port, blob).match == HostKeyMatch::kMatch);
  require(hosts.check(host, port, blob + "x").match != HostKeyMatch::kMatch);
}

void fuzz_known_hosts(fuzz::FuzzInput input) {
  const std::string host(input.line());
  const std::string blob = base64_decode(input.line()).value_or("");
  const std::string_view text = input.rest();
  const std::uint16_t port = host.size() % 2 == 0 ? kDefaultPort : std::uint16_t{2222};
  KnownHosts hosts;
  hosts.add_text("file", text);
  const HostKeyVerdict verdict = hosts.check(host, port, blob);
  require(verdict.line.has_value() == (verdict.match != HostKeyMatch::kNew));
  if (verdict.match == HostKeyMatch::kMatch) {
    require(verdict.line->blob == blob);
    require(verdict.line->marker == KnownHostsLine::Marker::kNone);
  }
  if (verdict.match == HostKeyMatch::kRevoked) require(verdict.line->blob == blob);
  (void)hosts.types_for(host, port);
  for (const KnownHostsLine& line : hosts.lines()) {
    require(line.line >= 1 && !line.hosts.empty() && !line.blob.empty());
    (void)known_hosts_field_matches(line.hosts, host);
    (void)describe_key(line.blob);
  }
  check_round_trip(host, port, blob);
}

}  // namespace
}  // namespace sftpfs::ssh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::ssh::fuzz_known_hosts({data, size});
  return 0;
}
