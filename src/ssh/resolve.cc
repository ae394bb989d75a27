// See resolve.h.
#include "ssh/resolve.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "ssh/known_hosts.h"

namespace sftpfs::ssh {
namespace {

struct Account {
  std::string name;
  std::string home;
};

// From the user database, as ssh does: $HOME and $USER are unset in many systemd units.
std::optional<Account> current_account() {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return Account{found->pw_name, found->pw_dir};
}

std::vector<std::string> expand_home(std::vector<std::string> paths, const std::string& home) {
  for (std::string& path : paths) {
    if (path.starts_with("~/")) path.replace(0, 1, home);
  }
  return paths;
}

bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

void fill_files(const Options& options, const std::string& home, Target& target) {
  const auto or_default = [](const std::vector<std::string>& named,
                             std::vector<std::string> usual) {
    return named.empty() ? usual : named;
  };
  target.identity_files_named = !options.identity_files.empty();
  target.identity_files = expand_home(
      or_default(options.identity_files, {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}),
      home);
  target.user_known_hosts_files = expand_home(
      or_default(options.user_known_hosts_files, {"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}),
      home);
  target.global_known_hosts_files = or_default(
      options.global_known_hosts_files, {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
}

std::string agent_socket_of(const Options& options) {
  if (options.agent_socket) return *options.agent_socket;
  const char* from_environment = std::getenv("SSH_AUTH_SOCK");
  return from_environment == nullptr ? "" : from_environment;
}

}  // namespace

std::string Target::label() const {
  return port == kDefaultPort ? fmt::format("{}@{}", user, host)
                              : fmt::format("{}@{}:{}", user, host, port);
}

std::string without_brackets(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

Status check_host_and_user(const Options& options) {
  if (options.host.empty()) return fail(ErrorCode::kInvalid, "no host name given");
  if (options.host.front() == '-' || !is_plain(options.host)) {
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is no host name", options.host));
  }
  if (options.user.starts_with('-') || !is_plain(options.user)) {
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is no user name", options.user));
  }
  if (options.sftp_server.empty()) {
    return fail(ErrorCode::kInvalid, "sftp_server is empty; give a subsystem or a command");
  }
  return {};
}

Result<Target> resolve(const Options& options) {
  if (Status status = check_host_and_user(options); !status) return fail(status.error());
  const std::optional<Account> account = current_account();
  if (!account && options.user.empty()) {
    return fail(ErrorCode::kInvalid, "the current user has no name; give one (user@host)");
  }
  Target target;
  target.host = without_brackets(options.host);
  target.port = options.port == 0 ? kDefaultPort : options.port;
  const bool alias = !options.host_key_alias.empty();
  target.known_as = alias ? options.host_key_alias : target.host;
  target.known_port = alias ? kDefaultPort : target.port;
  target.user = options.user.empty() ? account->name : options.user;
  target.sftp_server = options.sftp_server;
  fill_files(options, account ? account->home : "/", target);
  target.identities_only = options.identities_only;
  target.agent_socket = agent_socket_of(options);
  target.batch_mode = options.batch_mode;
  target.password_prompts = options.password_prompts;
  target.host_key_policy = options.host_key_policy.value_or(HostKeyPolicy::kAsk);
  target.hash_known_hosts = options.hash_known_hosts;
  target.address_family = options.address_family;
  target.connect_timeout = options.connect_timeout;
  target.auth_timeout = options.auth_timeout;
  target.unacknowledged_max = options.server_alive_interval * options.server_alive_count_max;
  target.compression = options.compression.value_or(false);
  return target;
}

}  // namespace sftpfs::ssh
