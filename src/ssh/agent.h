// Agent: asks a running ssh-agent for its keys and for signatures (draft-miller-ssh-agent).
//
// Ownership: owns its connection to the agent.
// Threads:   the thread that connects; each call blocks it up to the caller's patience (an agent
//            may itself ask its user).
// Limits:    messages beyond 256 KiB end the conversation, as in OpenSSH.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

struct AgentKey {
  std::string blob;
  std::string comment;
};

class Agent {
 public:
  static Result<Agent> open(const std::string& socket_path);
  // For an agent at the other end of `socket` (non-blocking).
  explicit Agent(UniqueFd socket) : socket_(std::move(socket)) {}

  Result<std::vector<AgentKey>> list(const Patience& patience);
  // The signature without its algorithm's name; `algorithm` chooses the hash of an RSA key.
  // kAuthentication when the agent refuses.
  Result<std::string> sign(const std::string& blob, std::string_view algorithm,
                           std::string_view data, const Patience& patience);

 private:
  Result<std::string> ask(const std::string& request, const Patience& patience);
  Status send_all(std::string_view bytes, const Patience& patience);
  Status receive_exactly(char* into, std::size_t size, const Patience& patience);

  UniqueFd socket_;
};

}  // namespace sftpfs::ssh
