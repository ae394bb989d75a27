// See resolve.h.
#include "ssh/resolve.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "ssh/account.h"
#include "ssh/builtin_config.h"
#include "ssh/known_hosts.h"
#include "ssh/tokens.h"
#include "ssh/type_of_service.h"

namespace sftpfs::ssh {
namespace {

bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

// Makes a Target of a ClientConfig; the first thing that makes no sense ends up in status().
class Filler {
 public:
  Filler(const ClientConfig& config, Target& target) : config_(config), target_(target) {}

  void fill(const Options& options, const Account& account);
  const Status& status() const { return status_; }

 private:
  void fail_with(std::string message) {
    if (status_) status_ = fail(ErrorCode::kInvalid, std::move(message));
  }
  int number(const char* keyword, int usual, int minimum, int maximum);
  std::vector<std::string> files(const std::vector<std::string>& values);
  void destination(const Options& options);
  void identity();
  void agent();
  void methods();
  void host_keys();
  void proxy();
  void connection(const Options& options);

  const ClientConfig& config_;
  Target& target_;
  TokenValues tokens_;
  Status status_;
};

// `ssh -G` prints numbers and times as plain numbers, and "none" for no time limit.
int Filler::number(const char* keyword, int usual, int minimum, int maximum) {
  const std::string text = config_.get(keyword);
  if (text.empty() || text == "none") return usual;
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stopped == end && value >= minimum && value <= maximum) return value;
  fail_with(fmt::format("{}={} is not a number from {} to {}", keyword, text, minimum, maximum));
  return usual;
}

std::vector<std::string> Filler::files(const std::vector<std::string>& values) {
  std::vector<std::string> expanded;
  for (const std::string& value : values) {
    if (value == "none") continue;
    Result<std::string> path = expand_path(value, tokens_);
    if (path) {
      expanded.push_back(std::move(*path));
    } else {
      fail_with(path.error().message());
    }
  }
  return expanded;
}

void Filler::destination(const Options& options) {
  target_.host = without_brackets(config_.get("hostname"));
  target_.port = static_cast<std::uint16_t>(number("port", kDefaultPort, 1, 65535));
  target_.user = config_.get("user");
  target_.sftp_server = options.sftp_server;
  const std::string alias = config_.get("hostkeyalias");
  const bool aliased = !alias.empty() && alias != "none";
  target_.known_as = aliased ? alias : target_.host;
  target_.known_port = aliased ? kDefaultPort : target_.port;
  tokens_.host = target_.host;
  tokens_.original_host = without_brackets(options.host);
  tokens_.known_as = aliased ? alias : tokens_.original_host;
  tokens_.port = target_.port;
  tokens_.user = target_.user;
}

void Filler::identity() {
  target_.identity_files = files(config_.all("identityfile"));
  target_.identity_files_named = config_.named("identityfile");
  target_.certificate_files = files(config_.all("certificatefile"));
  target_.identities_only = config_.yes("identitiesonly");
  target_.batch_mode = config_.yes("batchmode");
  target_.password_prompts = number("numberofpasswordprompts", kPasswordPrompts, 0, 1000);
  agent();
}

void Filler::agent() {
  std::string socket = config_.get("identityagent");
  // A variable's name with or without "$"; its absence means no agent.
  if (socket.empty() || socket == "SSH_AUTH_SOCK") socket = "$SSH_AUTH_SOCK";
  if (socket == "none") return;
  if (socket.starts_with('$') && !socket.starts_with("${")) {
    const char* value = std::getenv(socket.c_str() + 1);
    target_.agent_socket = value == nullptr ? "" : value;
    return;
  }
  const std::vector<std::string> path = files({socket});
  if (!path.empty()) target_.agent_socket = path.front();
}

void Filler::methods() {
  const auto allowed = [this](const std::string& method) {
    if (method == "publickey")
      return config_.get("pubkeyauthentication") != "no" &&
             config_.get("pubkeyauthentication") != "false";
    if (method == "password") return config_.yes("passwordauthentication", true);
    if (method == "keyboard-interactive") return config_.yes("kbdinteractiveauthentication", true);
    return false;
  };
  std::vector<std::string> wanted = split_list(config_.get("preferredauthentications"));
  if (wanted.empty() || wanted.front() == "none") {
    wanted = {"publickey", "keyboard-interactive", "password"};
  }
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(target_.methods), allowed);
  if (config_.named("pubkeyacceptedalgorithms")) {
    target_.key_algorithms = config_.get("pubkeyacceptedalgorithms");
  }
}

void Filler::host_keys() {
  const std::string* word = config_.find("stricthostkeychecking");
  const Result<HostKeyPolicy> policy = parse_host_key_policy(word == nullptr ? "ask" : *word);
  if (policy) {
    target_.host_key_policy = *policy;
  } else {
    fail_with(policy.error().message());
  }
  target_.user_known_hosts_files = files(split_paths(config_.get("userknownhostsfile")));
  target_.global_known_hosts_files = files(split_paths(config_.get("globalknownhostsfile")));
  target_.hash_known_hosts = config_.yes("hashknownhosts");
  const auto list = [this](const char* keyword) {
    return config_.named(keyword) ? config_.get(keyword) : std::string();
  };
  target_.algorithms = {list("kexalgorithms"), list("hostkeyalgorithms"), list("ciphers"),
                        list("macs")};
}

void Filler::proxy() {
  if (config_.wanted("proxycommand")) {
    Result<std::string> command = expand_percent(config_.get("proxycommand"), tokens_);
    if (!command) return fail_with(command.error().message());
    target_.proxy_command = std::move(*command);
  } else if (config_.wanted("proxyjump")) {
    target_.proxy_jump = config_.get("proxyjump");
  }
}

void Filler::connection(const Options& options) {
  const std::string family = config_.get("addressfamily");
  if (family == "inet") target_.address_family = AF_INET;
  if (family == "inet6") target_.address_family = AF_INET6;
  target_.bind_address = config_.wanted("bindaddress") ? config_.get("bindaddress") : "";
  target_.bind_interface = config_.wanted("bindinterface") ? config_.get("bindinterface") : "";
  if (config_.named("ipqos")) target_.type_of_service = type_of_service(config_.get("ipqos"));
  target_.tcp_keep_alive = config_.yes("tcpkeepalive", true);
  target_.connection_attempts = number("connectionattempts", 1, 1, 100000);
  target_.connect_timeout = std::chrono::seconds(
      number("connecttimeout", static_cast<int>(kConnectTimeout.count()), 0, 1000000));
  if (target_.connect_timeout.count() == 0) target_.connect_timeout = kConnectTimeout;
  target_.auth_timeout = options.auth_timeout;
  const int usual_interval = static_cast<int>(kServerAliveInterval.count());
  const int interval = config_.named("serveraliveinterval")
                           ? number("serveraliveinterval", usual_interval, 0, 1000000)
                           : usual_interval;
  const int count = number("serveralivecountmax", kServerAliveCountMax, 0, 1000000);
  target_.server_alive_interval = std::chrono::seconds(interval);
  target_.server_alive_count_max = count;
  target_.unacknowledged_max = target_.server_alive_interval * count;
  target_.compression = config_.yes("compression");
}

void Filler::fill(const Options& options, const Account& account) {
  tokens_.home = account.home;
  tokens_.local_user = account.name;
  destination(options);
  identity();
  methods();
  host_keys();
  proxy();
  connection(options);
  target_.ssh_config_file = options.ssh_config_file;
  if (options.without_ssh) target_.jump_program = options.own_program;
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

const char* policy_word(HostKeyPolicy policy) {
  switch (policy) {
    case HostKeyPolicy::kYes: return "yes";
    case HostKeyPolicy::kAsk: return "ask";
    case HostKeyPolicy::kAcceptNew: return "accept-new";
    case HostKeyPolicy::kNo: return "no";
  }
  return "ask";
}

Result<HostKeyPolicy> parse_host_key_policy(const std::string& text) {
  const std::string word = lower_case(text);
  if (word == "yes" || word == "true") return HostKeyPolicy::kYes;
  if (word == "ask") return HostKeyPolicy::kAsk;
  if (word == "accept-new") return HostKeyPolicy::kAcceptNew;
  if (word == "no" || word == "off" || word == "false") return HostKeyPolicy::kNo;
  return fail(ErrorCode::kInvalid,
              "StrictHostKeyChecking=" + text + " is not one of yes, ask, accept-new and no");
}

Result<Target> resolve(const Options& options) {
  if (Status status = check_host_and_user(options); !status) return fail(status.error());
  const std::optional<Account> account = current_account();
  const ClientConfig config =
      options.client_config == nullptr ? builtin_config(options) : *options.client_config;
  if (config.get("user").empty()) {
    return fail(ErrorCode::kInvalid, "the current user has no name; give one (user@host)");
  }
  Target target;
  Filler filler(config, target);
  filler.fill(options, account.value_or(Account{"", "/"}));
  if (!filler.status()) return fail(filler.status().error());
  return target;
}

}  // namespace sftpfs::ssh
