// Options: how to reach one server, in the words of the user's command line.
//
// Values that ssh_config could also give are optional: unset means "not said here", so that the
// ssh(1) child asks its own configuration and resolve.h fills in OpenSSH's defaults for libssh2.
// Ownership: a plain value.
// Threads:   as for any value.
// Limits:    holds no secret; passwords and passphrases come through Prompter.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sftpfs::ssh {

enum class Transport : std::uint8_t {
  kLibssh2,  // in this process
  kSsh,      // an ssh(1) child: everything OpenSSH can do
};

// StrictHostKeyChecking of ssh_config(5).
enum class HostKeyPolicy : std::uint8_t {
  kYes,        // only hosts that known_hosts has
  kAsk,        // ask about new ones (refuse where nobody can be asked)
  kAcceptNew,  // record new ones, refuse changed ones
  kNo,         // record new ones, warn of changed ones (and then send no password)
};

struct Options {
  std::string host;        // name or address; "[::1]" is accepted
  std::uint16_t port = 0;  // 0: 22, or what ssh_config says (child)
  std::string user;        // empty: the current user, or what ssh_config says (child)
  Transport transport = Transport::kLibssh2;
  std::string sftp_server = "sftp";  // a subsystem's name, or with a '/' a remote command

  // Identity.
  std::vector<std::string> identity_files;  // empty: ~/.ssh/id_ed25519, id_ecdsa, id_rsa
  bool identities_only = false;             // of the agent's keys only those named above
  std::optional<std::string> agent_socket;  // unset: $SSH_AUTH_SOCK; "": no agent
  bool batch_mode = false;                  // never ask anybody anything
  int password_prompts = 3;                 // NumberOfPasswordPrompts

  // Host keys.
  std::optional<HostKeyPolicy> host_key_policy;       // unset: ask
  std::vector<std::string> user_known_hosts_files;    // empty: ~/.ssh/known_hosts (and 2)
  std::vector<std::string> global_known_hosts_files;  // empty: /etc/ssh/ssh_known_hosts (and 2)
  std::string host_key_alias;                         // the name to look up instead of `host`
  bool hash_known_hosts = false;                      // record names hashed

  // The connection.
  int address_family = 0;                          // AF_UNSPEC, AF_INET or AF_INET6
  std::chrono::seconds connect_timeout{30};        // until the server's key is known
  std::chrono::seconds auth_timeout{120};          // after that; time spent typing is free
  std::chrono::seconds server_alive_interval{15};  // 0: a silent peer is never given up here
  int server_alive_count_max = 3;
  std::optional<bool> compression;  // unset: no

  // Only for the child.
  std::string ssh_command = "ssh";  // words; "\ " is a space inside a word
  std::string ssh_config_file;      // -F
  std::vector<std::pair<std::string, std::string>> ssh_options;  // -oName=Value, strongest first
  // AES-GCM is the cheapest cipher, and "^" keeps all others behind it; empty: ssh's own order.
  std::string child_ciphers = "^aes128-gcm@openssh.com";
};

}  // namespace sftpfs::ssh
