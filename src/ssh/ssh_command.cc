// See ssh_command.h.
#include "ssh/ssh_command.h"

#include <fmt/core.h>
#include <sys/socket.h>

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

const char* policy_word(HostKeyPolicy policy) {
  switch (policy) {
    case HostKeyPolicy::kYes: return "yes";
    case HostKeyPolicy::kAsk: return "ask";
    case HostKeyPolicy::kAcceptNew: return "accept-new";
    case HostKeyPolicy::kNo: return "no";
  }
  return "ask";
}

void add_identity(const Options& options, CommandLine& line) {
  for (const std::string& file : options.identity_files) {
    line.add("-i");
    line.add(file);
  }
  if (options.identities_only) line.option("IdentitiesOnly", "yes");
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
  if (options.hash_known_hosts) line.option("HashKnownHosts", "yes");
}

void add_connection(const Options& options, CommandLine& line) {
  if (options.address_family == AF_INET) line.add("-4");
  if (options.address_family == AF_INET6) line.add("-6");
  if (options.connect_timeout.count() > 0) {
    line.option("ConnectTimeout", std::to_string(options.connect_timeout.count()));
  }
  if (options.compression) line.option("Compression", *options.compression ? "yes" : "no");
  line.option("ServerAliveInterval", std::to_string(options.server_alive_interval.count()));
  line.option("ServerAliveCountMax", std::to_string(options.server_alive_count_max));
  if (!options.child_ciphers.empty()) line.option("Ciphers", options.child_ciphers);
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

Result<std::vector<std::string>> ssh_command_line(const Options& options, bool may_prompt,
                                                  const ChildHostKey& host_key) {
  if (Status status = check_host_and_user(options); !status) return fail(status.error());
  std::vector<std::string> words = split_command(options.ssh_command);
  if (words.empty()) return fail(ErrorCode::kInvalid, "ssh_command is empty");
  CommandLine line(std::move(words));
  line.add("-x");
  line.add("-a");
  line.option("ClearAllForwardings", "yes");
  line.option("PermitLocalCommand", "no");
  if (options.batch_mode || !may_prompt) line.option("BatchMode", "yes");
  for (const auto& [name, value] : host_key.child_options(options)) line.option(name, value);
  for (const auto& [name, value] : options.ssh_options) line.option(name, value);
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
  add_identity(options, line);
  if (!options.batch_mode && may_prompt) {
    line.option("NumberOfPasswordPrompts", std::to_string(options.password_prompts));
  }
  add_host_keys(options, line);
  add_connection(options, line);
  const bool subsystem = options.sftp_server.find('/') == std::string::npos;
  if (subsystem) line.add("-s");
  line.add("--");
  line.add(without_brackets(options.host));
  line.add(options.sftp_server);
  return line.take();
}

}  // namespace sftpfs::ssh
