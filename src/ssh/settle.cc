// See settle.h.
#include "ssh/settle.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>

#include "ssh/builtin_config.h"
#include "ssh/needs.h"
#include "ssh/program_output.h"
#include "ssh/resolve.h"
#include "ssh/ssh_command.h"

namespace sftpfs::ssh {
namespace {

constexpr std::chrono::seconds kQueryTimeout{10};
constexpr std::string_view kUsualCommand = "ssh";  // Options::ssh_command, unless somebody sets it

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const std::size_t end = text.rfind('\n');
  return std::string(end == text.npos ? text : text.substr(end + 1));
}

// An errno of ENOENT: there is no ssh(1).
Result<ClientConfig> query(const Options& options, const Interrupt* interrupt) {
  Result<std::vector<std::string>> words = ssh_query_line(options);
  if (!words) return fail(words.error());
  const Patience patience(kQueryTimeout, interrupt);
  Result<ProgramOutput> said = program_output(*words, kClientConfigBytesMax, patience);
  if (!said && said.error().is(ErrorCode::kTimedOut)) {
    return fail(ErrorCode::kTimedOut,
                fmt::format("ssh -G {} did not answer within {} s; look for a \"Match exec\" in "
                            "ssh_config",
                            options.host, kQueryTimeout.count()));
  }
  if (!said) return fail(said.error());
  if (!said->succeeded) {
    return fail(ErrorCode::kInvalid, fmt::format("ssh does not understand its configuration: {}",
                                                 last_line(said->errors)));
  }
  return ClientConfig::parse(said->output);
}

// What ssh(1) would say without any file or word of the user's: the measure of what is named.
Options without_configuration(const std::string& host) {
  Options bare;
  bare.host = host;
  bare.ssh_config_file = "none";
  return bare;
}

Result<ClientConfig> ask_ssh(const Options& options, const Interrupt* interrupt) {
  Result<ClientConfig> config = query(options, interrupt);
  if (!config) return config;
  Result<ClientConfig> usual = query(without_configuration(options.host), interrupt);
  if (!usual) return usual;
  config->compare_with(*usual);
  return config;
}

// Settings that others look at, too, and that our own defaults must not override.
Status take_over(const ClientConfig& config, Options& options) {
  const Result<Target> target = resolve(options);
  if (!target) return fail(target.error());
  options.connect_timeout = target->connect_timeout;
  if (config.named("serveraliveinterval") && target->server_alive_interval.count() > 0) {
    options.server_alive_interval = target->server_alive_interval;
    options.server_alive_count_max = target->server_alive_count_max;
  }
  if (config.named("stricthostkeychecking")) options.host_key_policy = target->host_key_policy;
  if (config.named("batchmode")) options.batch_mode = target->batch_mode;
  if (config.named("numberofpasswordprompts")) options.password_prompts = target->password_prompts;
  // "^" works on ssh's own list, not on the user's.
  if (config.named("ciphers")) options.child_ciphers.clear();
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

void add_new(std::vector<std::string>& to, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto same = [&name](const std::string& other) { return other.starts_with(name); };
    if (std::none_of(to.begin(), to.end(), same)) to.push_back(name);
  }
}

Status choose_transport(const Needs& needs, Settled& settled) {
  Transport& transport = settled.options.transport;
  std::vector<std::string> hard = needs.refused;
  hard.insert(hard.end(), needs.wanted.begin(), needs.wanted.end());
  if (transport == Transport::kAuto && !hard.empty()) {
    transport = Transport::kSsh;
    settled.notes.push_back(
        fmt::format("transport=ssh, because libssh2 cannot do: {}", joined(hard)));
  }
  if (transport == Transport::kSsh) return {};
  if (!needs.refused.empty()) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("transport=libssh2 cannot do {}; use transport=ssh", joined(needs.refused)));
  }
  std::vector<std::string> ignored = needs.wanted;
  add_new(ignored, needs.hints);
  if (!ignored.empty()) {
    settled.notes.push_back(fmt::format("transport=libssh2 goes on without: {}", joined(ignored)));
  }
  return {};
}

}  // namespace

Result<Settled> settle(Options options, const Interrupt* interrupt) {
  Settled settled;
  if (options.bare) {
    settled.options = std::move(options);
    settled.notes.emplace_back(
        "without SSH: nothing is encrypted, and nobody's identity is checked");
    return settled;
  }
  if (Status status = check_host_and_user(options); !status) return fail(status.error());
  if (options.ssh_command != kUsualCommand) {
    if (options.transport == Transport::kAuto) {
      options.transport = Transport::kSsh;
      settled.notes.emplace_back("transport=ssh, because of ssh_command");
    }
    settled.options = std::move(options);
    return settled;
  }
  Result<ClientConfig> config = ask_ssh(options, interrupt);
  if (!config && config.error().os_errno() == ENOENT) {
    options.without_ssh = true;
    config = builtin_config(options);
    settled.notes.emplace_back(
        "there is no ssh(1) here: ssh_config is not read, built-in defaults hold");
  }
  if (!config) return fail(config.error());
  options.client_config = std::make_shared<const ClientConfig>(std::move(*config));
  settled.options = std::move(options);
  if (Status taken = take_over(*settled.options.client_config, settled.options); !taken) {
    return fail(taken.error());
  }
  Result<Target> target = resolve(settled.options);
  if (!target) return fail(target.error());
  Needs needs = needs_of(*settled.options.client_config, *target);
  add_new(needs.wanted, settled.options.child_only);
  add_new(needs.hints, settled.options.child_hints);
  if (Status chosen = choose_transport(needs, settled); !chosen) return fail(chosen.error());
  return settled;
}

}  // namespace sftpfs::ssh
