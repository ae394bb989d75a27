// Target: Options with every default filled in; what the libssh2 transport works from.
//
// This is the seam for ssh_config: whatever reads it changes how a Target is made, and nothing
// behind it. (The ssh(1) child reads ssh_config itself and is given Options, ssh_command.h.)
// Ownership: a plain value.
// Threads:   resolve() reads the environment and the user database; call it from one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/options.h"

namespace sftpfs::ssh {

struct Target {
  std::string host;      // what is dialled
  std::string known_as;  // what known_hosts calls it: `host`, or the alias (then without a port)
  std::uint16_t known_port = 0;
  std::uint16_t port = 0;
  std::string user;
  std::string sftp_server;

  std::vector<std::string> identity_files;
  bool identity_files_named = false;  // by the user, so a missing one is worth a word
  bool identities_only = false;
  std::string agent_socket;  // empty: none
  bool batch_mode = false;
  int password_prompts = 0;

  HostKeyPolicy host_key_policy = HostKeyPolicy::kAsk;
  std::vector<std::string> user_known_hosts_files;
  std::vector<std::string> global_known_hosts_files;
  bool hash_known_hosts = false;

  int address_family = 0;
  std::chrono::seconds connect_timeout{0};
  std::chrono::seconds auth_timeout{0};
  std::chrono::milliseconds unacknowledged_max{0};
  bool compression = false;

  std::string label() const;  // "user@host", with ":port" where it is not 22
};

// kInvalid with the reason when the options make no sense.
Result<Target> resolve(const Options& options);
// A host or user name that could be taken for an option of ssh(1), or that hides something.
Status check_host_and_user(const Options& options);
// "::1" of "[::1]", everything else as it is.
std::string without_brackets(const std::string& host);

}  // namespace sftpfs::ssh
