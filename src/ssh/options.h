// Options: how to reach one server, in the words of the user's command line.
//
// Values that ssh_config could also give are optional: unset means "not said here". settle.h asks
// ssh itself what its configuration says, and puts the answer into `client_config`.
// Ownership: a plain value.
// Threads:   as for any value.
// Limits:    holds no secret; passwords and passphrases come through Prompter.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ssh/client_config.h"

namespace sftpfs::ssh {

enum class Transport : std::uint8_t {
  kAuto,     // libssh2 where it can do what is asked for, else ssh(1); settle() decides
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

// Where SFTP begins at once, without SSH around it (bare_sftp.h).
struct BareSftp {
  enum class Over : std::uint8_t { kTcp, kVsock, kStandardStreams };
  Over over = Over::kTcp;
  std::uint32_t port = 0;
  std::uint32_t cid = 0;  // the virtual machine's address
};

struct Options {
  std::string host;        // name or address; "[::1]" is accepted
  std::uint16_t port = 0;  // 0: 22, or what ssh_config says (child)
  std::string user;        // empty: the current user, or what ssh_config says (child)
  Transport transport = Transport::kLibssh2;
  std::string sftp_server = "sftp";  // a subsystem's name, or with a '/' a remote command

  std::optional<BareSftp> bare;  // instead of all of SSH

  // Identity.
  std::vector<std::string> identity_files;  // empty: ~/.ssh/id_rsa, id_ecdsa, id_ed25519
  std::optional<bool> identities_only;      // of the agent's keys only those named above
  std::optional<std::string> agent_socket;  // unset: $SSH_AUTH_SOCK; "": no agent
  std::optional<bool> batch_mode;           // never ask anybody anything
  std::optional<int> password_prompts;      // NumberOfPasswordPrompts; unset: 3

  // Host keys.
  std::optional<HostKeyPolicy> host_key_policy;       // unset: ask
  std::vector<std::string> user_known_hosts_files;    // empty: ~/.ssh/known_hosts (and 2)
  std::vector<std::string> global_known_hosts_files;  // empty: /etc/ssh/ssh_known_hosts (and 2)
  std::string host_key_alias;                         // the name to look up instead of `host`
  std::optional<bool> hash_known_hosts;               // record names hashed

  // The connection.
  int address_family = 0;                               // AF_UNSPEC, AF_INET or AF_INET6
  std::optional<std::chrono::seconds> connect_timeout;  // until the server's key is known
  std::chrono::seconds auth_timeout{120};               // after that; time spent typing is free
  std::optional<std::chrono::seconds> server_alive_interval;  // 0: never given up here
  std::optional<int> server_alive_count_max;
  std::optional<bool> compression;  // unset: no

  std::string ssh_config_file;  // -F
  // -oName=Value, strongest first.
  std::vector<std::pair<std::string, std::string>> ssh_options;

  // Names of ssh_options that only ssh(1) can honour, and that libssh2 may ignore.
  std::vector<std::string> child_only;
  std::vector<std::string> child_hints;

  // Only for the child.
  std::string ssh_command = "ssh";  // words; "\\ " is a space inside a word
  // This programme, which asks us for the password when ssh(1) wants it (child_password.h), and
  // goes through jump hosts where there is no ssh(1) (jump.h); empty: nothing does.
  std::string own_program;
  bool without_ssh = false;  // there is no ssh(1) here
  // AES-GCM is the cheapest cipher, and "^" keeps all others behind it; empty: ssh's own order.
  std::string child_ciphers = "^aes128-gcm@openssh.com";

  // What ssh says to all of the above; null: not asked, OpenSSH's defaults hold.
  std::shared_ptr<const ClientConfig> client_config;
};

// Where neither the user nor ssh_config has a word.
constexpr std::chrono::seconds kConnectTimeout{30};
constexpr std::chrono::seconds kServerAliveInterval{15};
constexpr int kServerAliveCountMax = 3;
constexpr int kPasswordPrompts = 3;

}  // namespace sftpfs::ssh
