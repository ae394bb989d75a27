// SSH_ASKPASS: the programme that asks where there is no terminal, as OpenSSH uses it.
//
// Threads: any; the environment must not change meanwhile.
// Limits:  the answer is one line of at most Secret::kDefaultCapacity bytes; no time limit.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "ssh/secret.h"

namespace sftpfs::app {

enum class AskpassUse { kNever, kWithoutTerminal, kAlways };

// What SSH_ASKPASS, SSH_ASKPASS_REQUIRE, DISPLAY and WAYLAND_DISPLAY say, see ssh(1).
struct AskpassPolicy {
  AskpassUse use = AskpassUse::kNever;
  std::string program = "/usr/bin/ssh-askpass";
  bool confirms = true;  // knows SSH_ASKPASS_PROMPT, and says yes by its exit code alone

  static AskpassPolicy from_environment();
  // systemd's password agents, where nothing else would be asked.
  AskpassPolicy or_systemd(std::string agent_program = "/usr/bin/systemd-ask-password") const;
};

enum class AskpassKind { kSecret, kConfirm };

// Runs `program prompt` and reads its answer. kCancelled when it ends with a failure, or when
// `cancel_fd` (or -1) becomes readable.
Result<ssh::Secret> run_askpass(const std::string& program, const std::string& prompt,
                                AskpassKind kind, int cancel_fd);

}  // namespace sftpfs::app
