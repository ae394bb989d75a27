// See config.h.
#include "app/config.h"

#include <fmt/core.h>

#include <algorithm>

namespace sftpfs::app {
namespace {

constexpr unsigned kCoresForSecondWorker = 4;

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::kInvalid, std::move(message));
}

Status check_transport(const Config& config) {
  const bool needs_ssh = !config.ssh_only.empty() || !config.ssh_command.empty();
  if (config.transport == Transport::kLibssh2 && needs_ssh) {
    return wrong(fmt::format("option '{}' needs transport=ssh",
                             config.ssh_only.empty() ? "ssh_command" : config.ssh_only.front()));
  }
  if (config.password_stdin && !config.password_file.empty()) {
    return wrong("password_stdin and password_file exclude each other");
  }
  return {};
}

// SFTP without SSH: one way of it, and nothing that only SSH has.
Status check_bare(const Config& config) {
  const int ways = (config.directport ? 1 : 0) + (config.vsock ? 1 : 0) + (config.passive ? 1 : 0);
  if (ways == 0) return {};
  if (ways > 1) return wrong("directport, vsock and passive exclude each other");
  if (!config.ssh_command.empty()) return wrong("ssh_command makes no sense without SSH");
  if (!config.passive) return {};
  if (config.password_stdin) return wrong("passive and password_stdin both want standard input");
  if (config.lazy_connect || config.background_retry || config.retry_min) {
    return wrong("passive: standard input is there once, so there is nothing to try again");
  }
  return {};
}

Status check_owners(const Config& config) {
  const bool files = !config.uid_file.empty() || !config.gid_file.empty();
  if (config.idmap == IdMapping::kFile && !files) {
    return wrong("idmap=file needs uidfile= or gidfile=");
  }
  return {};
}

Status check_caches(const Config& config) {
  if (config.cache_size_bytes < config.block_size_bytes) {
    return wrong(fmt::format("cache_size={} is smaller than one block (block_size={})",
                             config.cache_size_bytes, config.block_size_bytes));
  }
  if (config.attr_lifetime_min_s && config.attr_lifetime_max_s &&
      *config.attr_lifetime_min_s > *config.attr_lifetime_max_s) {
    return wrong(fmt::format("acmin={} is more than acmax={}: give acmax={} or more",
                             *config.attr_lifetime_min_s, *config.attr_lifetime_max_s,
                             *config.attr_lifetime_min_s));
  }
  // What is promised must be known as it is on the server.
  if (config.durability == Promise::kFsync && config.follow_symlinks) {
    return wrong(
        "durability=fsync cannot be combined with follow_symlinks, which hides what is a link: "
        "leave one out");
  }
  return {};
}

}  // namespace

Status validate(const Config& config) {
  if (config.allow_other && config.allow_root) {
    return wrong("allow_other and allow_root exclude each other");
  }
  if (config.workers > config.max_conns) {
    return wrong(fmt::format("workers={} needs max_conns={} or more: each has its own connection",
                             config.workers, config.workers));
  }
  if (config.soft && config.timeo_s <= 0) return wrong("soft needs a timeo greater than 0");
  Status checked = check_owners(config);
  if (checked) checked = check_caches(config);
  if (checked) checked = check_bare(config);
  if (!checked) return checked;
  return check_transport(config);
}

const std::string* find_ssh_option(const Config& config, std::string_view name) {
  const auto same = [name](const SshOption& option) { return option.name == name; };
  const auto found = std::find_if(config.ssh_options.begin(), config.ssh_options.end(), same);
  return found == config.ssh_options.end() ? nullptr : &found->value;
}

unsigned worker_count(const Config& config, unsigned cores) {
  if (config.workers != 0) return config.workers;
  const unsigned derived = cores < kCoresForSecondWorker ? 1 : 2;
  return std::min(derived, config.max_conns);
}

const std::string& fsname_of(const Config& config) {
  return config.fsname.empty() ? config.source.text : config.fsname;
}

std::vector<SshOption> all_ssh_options(const Config& config) {
  std::vector<SshOption> all;
  const auto add = [&all](const char* name, const auto& value) {
    if (value) all.push_back({name, fmt::format("{}", *value)});
  };
  add("Port", config.port);
  for (const std::string& file : config.identity_files) all.push_back({"IdentityFile", file});
  add("StrictHostKeyChecking", config.strict_host_key_checking);
  add("UserKnownHostsFile", config.user_known_hosts_file);
  add("GlobalKnownHostsFile", config.global_known_hosts_file);
  add("ConnectTimeout", config.connect_timeout_s);
  add("ServerAliveInterval", config.server_alive_interval_s);
  add("ServerAliveCountMax", config.server_alive_count_max);
  all.insert(all.end(), config.ssh_options.begin(), config.ssh_options.end());
  return all;
}

std::vector<std::string> fuse_mount_options(const Config& config) {
  const MountFlags& flags = config.flags;
  std::vector<std::string> words = {
      flags.read_only ? "ro" : "rw",
      flags.nosuid ? "nosuid" : "suid",
      flags.nodev ? "nodev" : "dev",
  };
  const auto add_if = [&words](bool wanted, const char* word) {
    if (wanted) words.emplace_back(word);
  };
  add_if(flags.noexec, "noexec");
  add_if(flags.noatime, "noatime");
  add_if(flags.sync, "sync");
  add_if(flags.dirsync, "dirsync");
  add_if(config.allow_other, "allow_other");
  add_if(config.allow_root, "allow_root");
  add_if(config.default_permissions, "default_permissions");
  add_if(config.auto_unmount, "auto_unmount");
  words.push_back("fsname=" + fsname_of(config));
  words.push_back("subtype=" + config.subtype);
  words.insert(words.end(), flags.security_contexts.begin(), flags.security_contexts.end());
  return words;
}

}  // namespace sftpfs::app
