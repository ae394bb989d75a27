// See proxy.h.
#include "ssh/proxy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "ssh/jump.h"
#include "ssh/jump_hosts.h"

namespace sftpfs::ssh {
namespace {

// As ssh(1): the last hop is asked to connect us, the ones before it are its own way there.
Result<std::vector<std::string>> ssh_jump_command(const Target& target, bool may_prompt) {
  const Result<std::vector<JumpHost>> hosts = parse_jump_hosts(target.proxy_jump);
  if (!hosts) return fail(hosts.error());
  const JumpHost& last = hosts->back();
  std::vector<std::string> words{"ssh"};
  const auto add = [&words](const char* flag, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(flag);
    words.push_back(value);
  };
  add("-F", target.ssh_config_file);
  add("-l", last.user);
  add("-p", last.port);
  if (!may_prompt) words.emplace_back("-oBatchMode=yes");
  add("-J", earlier_jump_hosts(target.proxy_jump));
  add("-W", fmt::format("[{}]:{}", target.host, target.port));
  words.emplace_back("--");
  words.push_back(last.host);
  return words;
}

}  // namespace

Result<std::vector<std::string>> proxy_command_line(const Target& target, bool may_prompt) {
  if (target.proxy_command.empty()) {
    return target.jump_program.empty() ? ssh_jump_command(target, may_prompt)
                                       : jump_command(target, may_prompt);
  }
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
