// Jump hosts where there is no ssh(1): this programme, as a child of its own mount, logs in to the
// jump host and passes bytes between its standard streams and a connection that the host makes.
//
//   mount ──socket── child (libssh2) ══SSH══ jump host ──TCP── server
//
// Ownership: plain values; the child belongs to a Proxy.
// Threads:   the child has one.
// Limits:    of the mount's own settings those that say who we are and whom we trust go along; a
//            chain is a chain of children. One channel's window (2 MiB) is under way at most.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ssh/options.h"
#include "ssh/prompter.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

// The first word of such a child's command line.
constexpr std::string_view kJumpWord = "--jump";

struct Jump {
  Options options;  // of the last jump host; the earlier ones are its ProxyJump
  std::string host;
  std::uint16_t port = 0;
  bool may_prompt = false;
};

// The child's argument vector; kInvalid where ProxyJump makes no sense.
Result<std::vector<std::string>> jump_command(const Target& target, bool may_prompt);
// What it says, by the child; `words` begin behind kJumpWord.
Result<Jump> parse_jump_command(std::span<const char* const> words, const std::string& own_program);
// Until either side ends. `input` and `output` are stream sockets.
Status run_jump(const Jump& jump, Prompter* prompter, int input, int output);

}  // namespace sftpfs::ssh
