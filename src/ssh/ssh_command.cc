// See ssh_command.h.
#include "ssh/ssh_command.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <cstdint>

#include "ssh/resolve.h"

namespace sftpfs::ssh {
namespace {

class CommandLine {
 public:
  explicit CommandLine(std::vector<std::string> words) : words_(std::move(words)) {}

  void add(std::string word) { words_.push_back(std::move(word)); }
  void option(std::string_view name, std::string_view value) {
    words_.push_back(fmt::format("-o{}={}", name, value));
  }
  // A value that is a list of paths: quoted, because each may contain blanks.
  void paths(std::string_view name, const std::vector<std::string>& paths) {
    if (paths.empty()) return;
    std::string value;
    for (const std::string& path : paths) {
      value += fmt::format("{}\"{}\"", value.empty() ? "" : " ", path);
    }
    option(name, value);
  }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

void add_switch(std::string_view name, const std::optional<bool>& value, CommandLine& line) {
  if (value) line.option(name, *value ? "yes" : "no");
}

void add_identity(const Options& options, CommandLine& line) {
  for (const std::string& file : options.identity_files) {
    line.add("-i");
    line.add(file);
  }
  add_switch("IdentitiesOnly", options.identities_only, line);
  if (options.agent_socket) {
    line.option("IdentityAgent", options.agent_socket->empty() ? "none" : *options.agent_socket);
  }
}

void add_host_keys(const Options& options, CommandLine& line) {
  if (options.host_key_policy) {
    line.option("StrictHostKeyChecking", policy_word(*options.host_key_policy));
  }
  line.paths("UserKnownHostsFile", options.user_known_hosts_files);
  line.paths("GlobalKnownHostsFile", options.global_known_hosts_files);
  if (!options.host_key_alias.empty()) line.option("HostKeyAlias", options.host_key_alias);
  add_switch("HashKnownHosts", options.hash_known_hosts, line);
}

// What would fail or disturb an SFTP session, whatever ssh_config says.
void add_session_rules(CommandLine& line) {
  line.add("-x");
  line.add("-a");
  line.option("ClearAllForwardings", "yes");
  line.option("PermitLocalCommand", "no");
  line.option("RemoteCommand", "none");
  line.option("RequestTTY", "no");
}

void add_destination(const Options& options, CommandLine& line) {
  if (!options.ssh_config_file.empty()) {
    line.add("-F");
    line.add(options.ssh_config_file);
  }
  if (options.port != 0) {
    line.add("-p");
    line.add(std::to_string(options.port));
  }
  if (!options.user.empty()) {
    line.add("-l");
    line.add(options.user);
  }
}

void add_connection(const Options& options, CommandLine& line) {
  if (options.address_family == AF_INET) line.add("-4");
  if (options.address_family == AF_INET6) line.add("-6");
  const auto number = [&line](const char* name, std::int64_t value) {
    line.option(name, std::to_string(value));
  };
  if (options.connect_timeout && options.connect_timeout->count() > 0) {
    number("ConnectTimeout", options.connect_timeout->count());
  }
  add_switch("Compression", options.compression, line);
  if (options.server_alive_interval) {
    number("ServerAliveInterval", options.server_alive_interval->count());
  }
  if (options.server_alive_count_max) {
    number("ServerAliveCountMax", *options.server_alive_count_max);
  }
}

void add_service(const Options& options, CommandLine& line) {
  const bool subsystem = options.sftp_server.find('/') == std::string::npos;
  if (subsystem) line.add("-s");
  line.add("--");
  line.add(without_brackets(options.host));
  line.add(options.sftp_server);
}

Options with_defaults(Options options) {
  if (!options.password_prompts) options.password_prompts = kPasswordPrompts;
  if (!options.connect_timeout) options.connect_timeout = kConnectTimeout;
  if (!options.server_alive_interval) options.server_alive_interval = kServerAliveInterval;
  if (!options.server_alive_count_max) options.server_alive_count_max = kServerAliveCountMax;
  return options;
}

}  // namespace

std::vector<std::string> split_command(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] == ' ') {
      if (inside) words.push_back(std::move(word));
      word.clear();
      inside = false;
      continue;
    }
    if (command[i] == '\\' && i + 1 < command.size()) ++i;
    word.push_back(command[i]);
    inside = true;
  }
  if (inside) words.push_back(std::move(word));
  return words;
}

Result<std::vector<std::string>> ssh_command_line(const Options& given, bool may_prompt,
                                                  const ChildHostKey& host_key) {
  if (Status status = check_host_and_user(given); !status) return fail(status.error());
  const Options options = with_defaults(given);
  std::vector<std::string> words = split_command(options.ssh_command);
  if (words.empty()) return fail(ErrorCode::kInvalid, "ssh_command is empty");
  const bool silent = options.batch_mode.value_or(false) || !may_prompt;
  CommandLine line(std::move(words));
  add_session_rules(line);
  if (silent) line.option("BatchMode", "yes");
  for (const auto& [name, value] : host_key.child_options(options)) line.option(name, value);
  for (const auto& [name, value] : options.ssh_options) line.option(name, value);
  add_destination(options, line);
  add_identity(options, line);
  if (!silent) line.option("NumberOfPasswordPrompts", std::to_string(*options.password_prompts));
  add_host_keys(options, line);
  add_connection(options, line);
  if (!options.child_ciphers.empty()) line.option("Ciphers", options.child_ciphers);
  add_service(options, line);
  return line.take();
}

Result<std::vector<std::string>> ssh_query_line(const Options& options) {
  if (Status status = check_host_and_user(options); !status) return fail(status.error());
  CommandLine line({"ssh", "-G"});
  add_session_rules(line);
  for (const auto& [name, value] : options.ssh_options) line.option(name, value);
  add_destination(options, line);
  add_switch("BatchMode", options.batch_mode, line);
  if (options.password_prompts) {
    line.option("NumberOfPasswordPrompts", std::to_string(*options.password_prompts));
  }
  add_identity(options, line);
  add_host_keys(options, line);
  add_connection(options, line);
  add_service(options, line);
  return line.take();
}

}  // namespace sftpfs::ssh
