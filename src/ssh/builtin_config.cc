// See builtin_config.h.
#include "ssh/builtin_config.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>

#include "ssh/account.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Old names of words.
constexpr std::array<Pair, 5> kAliases{{
    {"pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"},
    {"hostbasedkeytypes", "hostbasedacceptedalgorithms"},
    {"challengeresponseauthentication", "kbdinteractiveauthentication"},
    {"dsaauthentication", "pubkeyauthentication"},
    {"smartcarddevice", "pkcs11provider"},
}};

constexpr std::array<Pair, 12> kUsual{{
    {"port", "22"},
    {"identityfile", "~/.ssh/id_rsa"},
    {"stricthostkeychecking", "ask"},
    {"userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"},
    {"globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
    {"tcpkeepalive", "yes"},
    {"connectionattempts", "1"},
    {"pubkeyauthentication", "yes"},
    {"passwordauthentication", "yes"},
    {"kbdinteractiveauthentication", "yes"},
    {"addressfamily", "any"},
    {"securitykeyprovider", "internal"},
}};

std::string current_name(std::string_view name) {
  const std::string keyword = lower_case(name);
  for (const auto& [old, now] : kAliases) {
    if (keyword == old) return std::string(now);
  }
  return keyword;
}

bool is_repeatable(std::string_view keyword) {
  return keyword == "identityfile" || keyword == "certificatefile" || keyword == "sendenv" ||
         keyword == "setenv";
}

// The typed settings, weaker than the words of ssh_options.
class Builder {
 public:
  void word(std::string_view name, std::string_view value) {
    const std::string keyword = current_name(name);
    if (is_repeatable(keyword) || config_.find(keyword) == nullptr) config_.add(keyword, value);
  }
  template <class T>
  void number(std::string_view keyword, const std::optional<T>& value) {
    if (value) word(keyword, fmt::format("{}", *value));
  }
  void seconds(std::string_view keyword, const std::optional<std::chrono::seconds>& value) {
    if (value) word(keyword, std::to_string(value->count()));
  }
  void yes_or_no(std::string_view keyword, const std::optional<bool>& value) {
    if (value) word(keyword, *value ? "yes" : "no");
  }
  void paths(std::string_view keyword, const std::vector<std::string>& paths) {
    if (!paths.empty()) word(keyword, fmt::format("\"{}\"", fmt::join(paths, "\" \"")));
  }
  ClientConfig& config() { return config_; }

 private:
  ClientConfig config_;
};

void add_typed(const Options& options, Builder& builder) {
  if (options.port != 0) builder.word("port", std::to_string(options.port));
  if (!options.user.empty()) builder.word("user", options.user);
  for (const std::string& file : options.identity_files) builder.word("identityfile", file);
  builder.yes_or_no("identitiesonly", options.identities_only);
  if (options.agent_socket) {
    builder.word("identityagent", options.agent_socket->empty() ? "none" : *options.agent_socket);
  }
  builder.yes_or_no("batchmode", options.batch_mode);
  builder.number("numberofpasswordprompts", options.password_prompts);
  if (options.host_key_policy) {
    builder.word("stricthostkeychecking", policy_word(*options.host_key_policy));
  }
  builder.paths("userknownhostsfile", options.user_known_hosts_files);
  builder.paths("globalknownhostsfile", options.global_known_hosts_files);
  if (!options.host_key_alias.empty()) builder.word("hostkeyalias", options.host_key_alias);
  builder.yes_or_no("hashknownhosts", options.hash_known_hosts);
  if (options.address_family == AF_INET) builder.word("addressfamily", "inet");
  if (options.address_family == AF_INET6) builder.word("addressfamily", "inet6");
  builder.seconds("connecttimeout", options.connect_timeout);
  builder.seconds("serveraliveinterval", options.server_alive_interval);
  builder.number("serveralivecountmax", options.server_alive_count_max);
  builder.yes_or_no("compression", options.compression);
}

}  // namespace

ClientConfig builtin_config(const Options& options) {
  Builder builder;
  for (const auto& [name, value] : options.ssh_options) builder.word(name, value);
  add_typed(options, builder);
  ClientConfig& config = builder.config();
  const bool own_keys = config.find("identityfile") != nullptr;
  for (const auto& [keyword, value] : kUsual) config.add_usual(keyword, value);
  if (!own_keys) {
    config.add_more_usual("identityfile", "~/.ssh/id_ecdsa");
    config.add_more_usual("identityfile", "~/.ssh/id_ed25519");
  }
  config.add_usual("hostname", without_brackets(options.host));
  const std::optional<Account> account = current_account();
  if (account) config.add_usual("user", account->name);
  return config;
}

}  // namespace sftpfs::ssh
