// See jump_hosts.h.
#include "ssh/jump_hosts.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "ssh/client_config.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {
namespace {

Result<JumpHost> parse_hop(const std::string& text) {
  JumpHost hop;
  std::string_view rest = text;
  if (rest.starts_with("ssh://")) {
    rest.remove_prefix(6);
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const std::size_t at = rest.rfind('@');
  if (at != rest.npos) {
    hop.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : rest.npos;
  const std::size_t colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
  // More than one colon without brackets is an IPv6 address without a port.
  const bool bare_address = bracket == rest.npos && colon != rest.rfind(':');
  if (colon != rest.npos && !bare_address) {
    hop.port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  hop.host = without_brackets(std::string(rest));
  const bool digits =
      std::all_of(hop.port.begin(), hop.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (hop.host.empty() || hop.host.front() == '-' || hop.user.starts_with('-') || !digits) {
    return fail(ErrorCode::kInvalid,
                fmt::format("ProxyJump: \"{}\" is no [user@]host[:port]", text));
  }
  return hop;
}

}  // namespace

Result<std::vector<JumpHost>> parse_jump_hosts(const std::string& list) {
  std::vector<JumpHost> hosts;
  for (const std::string& text : split_list(list)) {
    Result<JumpHost> hop = parse_hop(text);
    if (!hop) return fail(hop.error());
    hosts.push_back(std::move(*hop));
  }
  if (hosts.empty()) return fail(ErrorCode::kInvalid, "ProxyJump names no host");
  return hosts;
}

std::string earlier_jump_hosts(const std::string& list) {
  std::vector<std::string> hosts = split_list(list);
  if (!hosts.empty()) hosts.pop_back();
  return fmt::format("{}", fmt::join(hosts, ","));
}

}  // namespace sftpfs::ssh
