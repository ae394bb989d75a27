// Target: Options with everything filled in that ssh_config(5) and OpenSSH's defaults have to say;
// what the libssh2 transport works from.
//
// Ownership: a plain value.
// Threads:   resolve() reads the environment and the user database; any thread, while nobody
//            changes the environment.
// Limits:    what ssh itself says is in Options::client_config (settle.h); without it the built-in
//            defaults hold (builtin_config.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/options.h"

namespace sftpfs::ssh {

// Lists of algorithms by name; empty: ours to choose.
struct AlgorithmLists {
  std::string kex;
  std::string host_keys;
  std::string ciphers;
  std::string macs;
};

struct Target {
  std::string host;      // what is dialled
  std::string known_as;  // what known_hosts calls it: `host`, or the alias (then without a port)
  std::uint16_t known_port = 0;
  std::uint16_t port = 0;
  std::string user;
  std::string sftp_server;

  std::vector<std::string> identity_files;
  bool identity_files_named = false;  // by the user, so a missing one is worth a word
  std::vector<std::string> certificate_files;
  bool identities_only = false;
  std::string agent_socket;  // empty: none
  bool batch_mode = false;
  int password_prompts = 0;
  std::vector<std::string> methods;  // of authentication, in order; empty: the usual ones
  std::string key_algorithms;        // PubkeyAcceptedAlgorithms; empty: all we have

  HostKeyPolicy host_key_policy = HostKeyPolicy::kAsk;
  std::vector<std::string> user_known_hosts_files;
  std::vector<std::string> global_known_hosts_files;
  bool hash_known_hosts = false;
  AlgorithmLists algorithms;

  // At most one of them is there.
  std::string proxy_command;  // for the shell, tokens expanded
  std::string proxy_jump;     // "[user@]host[:port],..."
  std::string jump_program;   // goes through them where ssh(1) cannot; empty: ssh(1) does
  std::string ssh_config_file;

  int address_family = 0;
  std::string bind_address;
  std::string bind_interface;
  std::optional<int> type_of_service;  // IP_TOS
  bool tcp_keep_alive = true;
  int connection_attempts = 1;
  std::chrono::seconds connect_timeout{0};
  std::chrono::seconds auth_timeout{0};
  std::chrono::seconds server_alive_interval{0};
  int server_alive_count_max = 0;
  std::chrono::milliseconds unacknowledged_max{0};  // both together
  bool compression = false;

  std::string label() const;  // "user@host", with ":port" where it is not 22
};

// kInvalid with the reason when the options make no sense.
Result<Target> resolve(const Options& options);
// A host or user name that could be taken for an option of ssh(1), or that hides something.
Status check_host_and_user(const Options& options);
// "::1" of "[::1]", everything else as it is.
std::string without_brackets(const std::string& host);
// StrictHostKeyChecking, in the words of ssh_config and of `ssh -G`.
Result<HostKeyPolicy> parse_host_key_policy(const std::string& word);
const char* policy_word(HostKeyPolicy policy);

}  // namespace sftpfs::ssh
