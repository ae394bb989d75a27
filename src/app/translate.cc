// See translate.h.
#include "app/translate.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/values.h"
#include "ssh/client_config.h"
#include "ssh/resolve.h"

namespace sftpfs::app {
namespace {

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

ssh::Transport transport_of(const Config& config) {
  switch (config.transport) {
    case Transport::kAuto: break;
    case Transport::kLibssh2: return ssh::Transport::kLibssh2;
    case Transport::kSsh: return ssh::Transport::kSsh;
  }
  return ssh::Transport::kAuto;
}

std::optional<ssh::BareSftp> bare_sftp(const Config& config) {
  using Over = ssh::BareSftp::Over;
  if (config.directport) return ssh::BareSftp{Over::kTcp, *config.directport, 0};
  if (config.vsock) return ssh::BareSftp{Over::kVsock, config.vsock->port, config.vsock->cid};
  if (config.passive) return ssh::BareSftp{Over::kStandardStreams, 0, 0};
  return std::nullopt;
}

// LogLevel of ssh_config(5) as a level of ours; empty: no such word. Lost data are told even to who
// wants ssh to be quiet.
std::optional<LogLevel> level_of(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, LogLevel>, 9> kLevels = {{
      {"QUIET", LogLevel::kError},
      {"FATAL", LogLevel::kError},
      {"ERROR", LogLevel::kError},
      {"INFO", LogLevel::kInfo},
      {"VERBOSE", LogLevel::kInfo},
      {"DEBUG", LogLevel::kDebug},
      {"DEBUG1", LogLevel::kDebug},
      {"DEBUG2", LogLevel::kDebug},
      {"DEBUG3", LogLevel::kTrace},
  }};
  for (const auto& [name, level] : kLevels) {
    if (equal_ignoring_case(name, word)) return level;
  }
  return std::nullopt;
}

}  // namespace

Result<ssh::Options> ssh_options(const Config& config) {
  ssh::Options out;
  out.host = config.source.host;
  out.user = config.source.user;
  out.port = config.port.value_or(0);
  out.transport = transport_of(config);
  out.bare = bare_sftp(config);
  if (!config.sftp_server.empty()) out.sftp_server = config.sftp_server;
  out.identity_files = config.identity_files;
  if (config.strict_host_key_checking) {
    const Result<ssh::HostKeyPolicy> policy =
        ssh::parse_host_key_policy(*config.strict_host_key_checking);
    if (!policy) return fail(policy.error());
    out.host_key_policy = *policy;
  }
  if (config.user_known_hosts_file) {
    out.user_known_hosts_files = ssh::split_paths(*config.user_known_hosts_file);
  }
  if (config.global_known_hosts_file) {
    out.global_known_hosts_files = ssh::split_paths(*config.global_known_hosts_file);
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
    // The source's user is the stronger one.
    if (option.name == "User" && !out.user.empty()) continue;
    out.ssh_options.emplace_back(option.name, option.value);
  }
  out.child_only = config.ssh_only;
  out.child_hints = config.ssh_hints;
  return out;
}

Status take_settled(const ssh::Options& settled, Config& config) {
  switch (settled.transport) {
    case ssh::Transport::kAuto: config.transport = Transport::kAuto; break;
    case ssh::Transport::kLibssh2: config.transport = Transport::kLibssh2; break;
    case ssh::Transport::kSsh: config.transport = Transport::kSsh; break;
  }
  const ssh::ClientConfig* said = settled.client_config.get();
  if (said != nullptr && said->named("loglevel") && !config.log_level) {
    config.log_level = level_of(said->get("loglevel"));
  }
  const auto as_number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  if (settled.connect_timeout) {
    config.connect_timeout_s = as_number(settled.connect_timeout->count());
  }
  if (settled.server_alive_interval) {
    config.server_alive_interval_s = as_number(settled.server_alive_interval->count());
  }
  if (settled.server_alive_count_max) {
    config.server_alive_count_max = as_number(*settled.server_alive_count_max);
  }
  return validate(config);
}

// As a local disk does it, where many users meet: but owners that are not shown are not set.
bool gives_to_creator(const Config& config) {
  const bool many_users = config.allow_other && config.default_permissions;
  return config.create_owner_caller.value_or(many_users && !config.uid && !config.gid);
}

fs::Options fs_options(const Config& config, unsigned cores) {
  fs::Options out;
  out.remote_directory = config.source.directory;
  out.uid = config.uid;
  out.gid = config.gid;
  out.umask = config.umask;
  out.give_to_creator = gives_to_creator(config);
  out.local_locks = config.local_locks;
  out.follow_links = config.follow_symlinks;
  out.links.transform = config.transform_symlinks;
  out.links.contain = config.contain_symlinks;
  out.hard_links = !config.disable_hardlink;
  out.workers = worker_count(config, cores);
  out.max_conns = config.max_conns;
  out.max_channels = config.max_channels;
  out.cache_size_bytes = config.cache_size_bytes;
  out.block_size_bytes = config.block_size_bytes;
  out.readahead_bytes_max = config.readahead_bytes_max;
  out.dirty_bytes_max = config.dirty_bytes_max;
  if (config.stat_cache_timeout_s) {
    out.attr_lifetime = out.attr_lifetime_max = seconds(*config.stat_cache_timeout_s);
    out.listings_serve_opendir = true;
  }
  if (config.attr_lifetime_min_s) out.attr_lifetime = seconds(*config.attr_lifetime_min_s);
  if (config.attr_lifetime_max_s) out.attr_lifetime_max = seconds(*config.attr_lifetime_max_s);
  // Whichever was given moves the other one's default along.
  if (config.attr_lifetime_min_s && !config.attr_lifetime_max_s) {
    out.attr_lifetime_max = std::max(out.attr_lifetime, out.attr_lifetime_max);
  }
  out.attr_lifetime = std::min(out.attr_lifetime, out.attr_lifetime_max);
  if (!config.dir_cache) out.attr_lifetime = out.attr_lifetime_max = Duration::zero();
  const bool ahead = config.durability == Promise::kFsync;
  out.close_to_open = config.close_to_open.value_or(!ahead);
  out.kernel_attr_timeout_s = config.attr_timeout_s;
  out.kernel_entry_timeout_s = config.entry_timeout_s;
  if (!out.close_to_open) {
    out.listings_serve_opendir = true;
    out.kernel_negative_timeout_s = config.entry_timeout_s;
    out.absent_lifetime = out.attr_lifetime_max;
  }
  if (config.negative_timeout_s) {
    out.kernel_negative_timeout_s = *config.negative_timeout_s;
    out.absent_lifetime = seconds(*config.negative_timeout_s);
  }
  out.direct_io = config.direct_io;
  out.async_reads = config.async_reads;
  out.kernel_cache = config.kernel_cache;
  out.sync_writes = config.sync_writes || config.durability == Promise::kWrite;
  if (ahead && !out.sync_writes) out.durability = fs::Durability::kFsync;
  // ServerAliveInterval=0 means never in ssh(1), but a mount must notice a dead server.
  if (config.server_alive_interval_s.value_or(0) > 0) {
    out.ping_interval = std::chrono::seconds(*config.server_alive_interval_s);
  }
  if (config.server_alive_count_max) out.ping_count_max = *config.server_alive_count_max;
  if (config.transport == Transport::kSsh) {
    // The child has still to connect and log in when the stream is already there.
    const auto connecting = config.connect_timeout_s
                                ? std::chrono::seconds(*config.connect_timeout_s)
                                : ssh::kConnectTimeout;
    out.greeting_timeout += connecting;
  }
  if (config.soft || config.passive) out.operation_timeout = seconds(config.timeo_s);
  out.drain_timeout = config.umount_timeout;
  return out;
}

}  // namespace sftpfs::app
