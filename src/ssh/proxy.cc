// See proxy.h.
#include "ssh/proxy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "ssh/client_config.h"

namespace sftpfs::ssh {
namespace {

struct Hop {
  std::string user;
  std::string host;
  std::string port;
};

Result<Hop> parse_hop(const std::string& text) {
  Hop hop;
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

// As ssh(1): the last hop is asked to connect us, the ones before it are its own way there.
Result<std::vector<std::string>> jump_command(const Target& target, bool may_prompt) {
  std::vector<std::string> hops = split_list(target.proxy_jump);
  if (hops.empty()) return fail(ErrorCode::kInvalid, "ProxyJump names no host");
  Result<Hop> last = parse_hop(hops.back());
  if (!last) return fail(last.error());
  hops.pop_back();
  std::vector<std::string> words{"ssh"};
  const auto add = [&words](const char* flag, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(flag);
    words.push_back(value);
  };
  add("-F", target.ssh_config_file);
  add("-l", last->user);
  add("-p", last->port);
  if (!may_prompt) words.emplace_back("-oBatchMode=yes");
  std::string earlier;
  for (const std::string& hop : hops) earlier += (earlier.empty() ? "" : ",") + hop;
  add("-J", earlier);
  add("-W", fmt::format("[{}]:{}", target.host, target.port));
  words.emplace_back("--");
  words.push_back(last->host);
  return words;
}

}  // namespace

Result<std::vector<std::string>> proxy_command_line(const Target& target, bool may_prompt) {
  if (target.proxy_command.empty()) return jump_command(target, may_prompt);
  // The user's own words for the user's own shell: here ssh, too, uses one.
  const char* shell = std::getenv("SHELL");
  const std::string programme = shell == nullptr || *shell == '\0' ? "/bin/sh" : shell;
  return std::vector<std::string>{programme, "-c", "exec " + target.proxy_command};
}

Result<Proxy::Started> Proxy::start(const Target& target, bool may_prompt) {
  const Result<std::vector<std::string>> words = proxy_command_line(target, may_prompt);
  if (!words) return fail(words.error());
  Result<Child::Started> started = Child::start(*words);
  if (!started) {
    return fail(ErrorCode::kConnectionLost,
                fmt::format("{}: {}", target.label(), started.error().describe()));
  }
  std::string through =
      target.proxy_command.empty() ? "ProxyJump " + target.proxy_jump : "ProxyCommand";
  Started result;
  result.proxy.reset(
      new Proxy(std::move(started->child), std::move(started->errors), std::move(through)));
  result.socket = std::move(started->socket);
  return result;
}

Error Proxy::complaint(const std::string& peer) {
  errors_.drain();
  std::string said = errors_.tail();
  while (said.ends_with('\n')) said.pop_back();
  std::replace(said.begin(), said.end(), '\n', ';');
  if (said.empty()) {
    const std::optional<std::string> status = child_.ending();
    said = status ? "ended with " + *status : "ended the connection";
  }
  return Error(ErrorCode::kConnectionLost, fmt::format("{}: {}: {}", peer, through_, said));
}

}  // namespace sftpfs::ssh
