// See jump_helper.h.
#include "app/jump_helper.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "app/process_setup.h"
#include "app/terminal_prompter.h"
#include "base/log.h"
#include "ssh/ctr_provider.h"
#include "ssh/jump.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::app {
namespace {

Status run(std::span<const char* const> words) {
  if (const Status hardened = harden_process(); !hardened) return hardened;
  log_open(LogSink::kStderr, LogLevel::kWarning, "sftpfs");
  const Result<ssh::Jump> jump = ssh::parse_jump_command(words, own_program());
  if (!jump) return fail(jump.error());
  if (const Status library = ssh::libssh2_start(); !library) return library;
  const Result<std::unique_ptr<ssh::CtrAcceleration>> faster = ssh::CtrAcceleration::install();
  if (!faster) log_debug("AES-CTR is not accelerated: {}", faster.error().describe());
  TerminalPrompter prompter;
  return ssh::run_jump(*jump, jump->may_prompt ? &prompter : nullptr, STDIN_FILENO, STDOUT_FILENO);
}

}  // namespace

bool called_as_jump(std::span<const char* const> arguments) {
  return arguments.size() > 1 && arguments[1] == ssh::kJumpWord;
}

int jump_run(std::span<const char* const> arguments) {
  constexpr int kNoWay = 255;
  const Status done = run(arguments.subspan(2));
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().describe());
  return kNoWay;
}

}  // namespace sftpfs::app
