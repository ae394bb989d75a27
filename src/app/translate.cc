// See translate.h.
#include "app/translate.h"

#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

namespace sftpfs::app {
namespace {

Result<ssh::HostKeyPolicy> host_key_policy(const std::string& word) {
  const auto is = [&word](const char* name) { return ::strcasecmp(word.c_str(), name) == 0; };
  if (is("yes")) return ssh::HostKeyPolicy::kYes;
  if (is("ask")) return ssh::HostKeyPolicy::kAsk;
  if (is("accept-new")) return ssh::HostKeyPolicy::kAcceptNew;
  if (is("no") || is("off")) return ssh::HostKeyPolicy::kNo;
  return fail(ErrorCode::kInvalid,
              "StrictHostKeyChecking=" + word + " is not one of yes, ask, accept-new and no");
}

// Several files in one value are separated by blanks, as in ssh_config(5).
std::vector<std::string> split_files(const std::string& value) {
  std::vector<std::string> files;
  std::size_t at = 0;
  while (at < value.size()) {
    const std::size_t from = value.find_first_not_of(" \t", at);
    if (from == std::string::npos) break;
    const std::size_t to = std::min(value.find_first_of(" \t", from), value.size());
    files.push_back(value.substr(from, to - from));
    at = to;
  }
  return files;
}

bool is_yes(const std::string* value) {
  return value != nullptr && ::strcasecmp(value->c_str(), "yes") == 0;
}

int address_family(const std::string& word) {
  if (::strcasecmp(word.c_str(), "inet") == 0) return AF_INET;
  if (::strcasecmp(word.c_str(), "inet6") == 0) return AF_INET6;
  return AF_UNSPEC;
}

std::string join_command(const std::vector<std::string>& words) {
  std::string command;
  for (const std::string& word : words) {
    if (!command.empty()) command.push_back(' ');
    for (const char c : word) {
      if (c == ' ' || c == '\\') command.push_back('\\');
      command.push_back(c);
    }
  }
  return command;
}

Duration seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

// The words among Config::ssh_options that libssh2 honours as well as the child.
void take_common_words(const Config& config, ssh::Options& out) {
  const std::string* user = find_ssh_option(config, "User");
  if (user != nullptr && out.user.empty()) out.user = *user;
  if (const std::string* name = find_ssh_option(config, "HostName")) out.host = *name;
  if (const std::string* family = find_ssh_option(config, "AddressFamily")) {
    out.address_family = address_family(*family);
  }
  out.batch_mode = is_yes(find_ssh_option(config, "BatchMode"));
  out.identities_only = is_yes(find_ssh_option(config, "IdentitiesOnly"));
  out.hash_known_hosts = is_yes(find_ssh_option(config, "HashKnownHosts"));
  if (const std::string* alias = find_ssh_option(config, "HostKeyAlias")) {
    out.host_key_alias = *alias;
  }
  if (const std::string* agent = find_ssh_option(config, "IdentityAgent")) {
    out.agent_socket = *agent == "none" ? "" : *agent;
  }
  if (const std::string* prompts = find_ssh_option(config, "NumberOfPasswordPrompts")) {
    out.password_prompts = std::atoi(prompts->c_str());
  }
  if (const std::string* compression = find_ssh_option(config, "Compression")) {
    out.compression = is_yes(compression);
  }
}

}  // namespace

Result<ssh::Options> ssh_options(const Config& config) {
  ssh::Options out;
  out.host = config.source.host;
  out.user = config.source.user;
  out.port = config.port.value_or(0);
  out.transport =
      config.transport == Transport::kSsh ? ssh::Transport::kSsh : ssh::Transport::kLibssh2;
  if (!config.sftp_server.empty()) out.sftp_server = config.sftp_server;
  out.identity_files = config.identity_files;
  if (config.strict_host_key_checking) {
    const Result<ssh::HostKeyPolicy> policy = host_key_policy(*config.strict_host_key_checking);
    if (!policy) return fail(policy.error());
    out.host_key_policy = *policy;
  }
  if (config.user_known_hosts_file) {
    out.user_known_hosts_files = split_files(*config.user_known_hosts_file);
  }
  if (config.global_known_hosts_file) {
    out.global_known_hosts_files = split_files(*config.global_known_hosts_file);
  }
  if (config.connect_timeout_s) {
    out.connect_timeout = std::chrono::seconds(*config.connect_timeout_s);
  }
  if (config.server_alive_interval_s) {
    out.server_alive_interval = std::chrono::seconds(*config.server_alive_interval_s);
  }
  if (config.server_alive_count_max) {
    out.server_alive_count_max = static_cast<int>(*config.server_alive_count_max);
  }
  if (!config.ssh_command.empty()) out.ssh_command = join_command(config.ssh_command);
  out.ssh_config_file = config.ssh_config_file;
  for (const SshOption& option : config.ssh_options) {
    out.ssh_options.emplace_back(option.name, option.value);
  }
  take_common_words(config, out);
  return out;
}

fs::Options fs_options(const Config& config, unsigned cores) {
  fs::Options out;
  out.remote_directory = config.source.directory;
  out.uid = config.uid;
  out.gid = config.gid;
  out.umask = config.umask;
  out.workers = worker_count(config, cores);
  out.max_conns = config.max_conns;
  out.cache_size_bytes = config.cache_size_bytes;
  out.block_size_bytes = config.block_size_bytes;
  out.readahead_bytes_max = config.readahead_bytes_max;
  out.dirty_bytes_max = config.dirty_bytes_max;
  if (config.stat_cache_timeout_s) out.attr_lifetime = seconds(*config.stat_cache_timeout_s);
  if (!config.dir_cache) out.attr_lifetime = Duration::zero();
  out.kernel_attr_timeout_s = config.attr_timeout_s;
  out.kernel_entry_timeout_s = config.entry_timeout_s;
  out.kernel_negative_timeout_s = config.negative_timeout_s;
  out.direct_io = config.direct_io;
  out.kernel_cache = config.kernel_cache;
  out.sync_writes = config.sync_writes;
  // ServerAliveInterval=0 means never in ssh(1), but a mount must notice a dead server.
  if (config.server_alive_interval_s.value_or(0) > 0) {
    out.ping_interval = std::chrono::seconds(*config.server_alive_interval_s);
  }
  if (config.server_alive_count_max) out.ping_count_max = *config.server_alive_count_max;
  if (config.transport == Transport::kSsh) {
    // The child has still to connect and log in when the stream is already there.
    const ssh::Options usual;
    const auto connecting = config.connect_timeout_s
                                ? std::chrono::seconds(*config.connect_timeout_s)
                                : usual.connect_timeout;
    out.greeting_timeout += connecting;
  }
  if (config.soft) out.operation_timeout = seconds(config.timeo_s);
  out.drain_timeout = config.umount_timeout;
  return out;
}

}  // namespace sftpfs::app
