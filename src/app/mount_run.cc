// See mount_run.h.
#include "app/mount_run.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "app/askpass_helper.h"
#include "app/command_line.h"
#include "app/credentials.h"
#include "app/daemon.h"
#include "app/help.h"
#include "app/id_files.h"
#include "app/jump_helper.h"
#include "app/mountpoint.h"
#include "app/process_setup.h"
#include "app/remount.h"
#include "app/service.h"
#include "app/terminal.h"
#include "app/terminal_prompter.h"
#include "app/translate.h"
#include "app/unmounter.h"
#include "base/log.h"
#include "base/mount_namespace.h"
#include "ssh/ctr_provider.h"
#include "ssh/libssh2_session.h"
#include "ssh/settle.h"

namespace sftpfs::app {
namespace {

constexpr const char* kIdent = "sftpfs";

int complain(const Error& error, ExitCode code) {
  fmt::print(stderr, "{}: {}\n", kIdent, error.describe());
  return static_cast<int>(code);
}

Outcome failed(const Config& config, const Error& error) {
  return Outcome{exit_code_for(error), config.source.text + ": " + error.describe()};
}

// -v: what happens until the mount serves, for who waits at the terminal.
void tell(const Config& config, const std::string& what) {
  if (config.verbose) fmt::print(stderr, "{}: {}\n", kIdent, what);
}

// libssh2 encrypts 16 bytes a call; without this it works as well, only slower.
std::unique_ptr<ssh::CtrAcceleration> accelerate(const Config& config) {
  if (config.plain_crypto || config.transport == Transport::kSsh) return nullptr;
  Result<std::unique_ptr<ssh::CtrAcceleration>> installed = ssh::CtrAcceleration::install();
  if (installed) return std::move(*installed);
  log_info("AES-CTR is not accelerated: {}", installed.error().describe());
  return nullptr;
}

// Whether time alone may help: not where the user must.
bool may_heal(const Error& error) {
  return error.is(ErrorCode::kConnectionLost) || error.is(ErrorCode::kTimedOut) ||
         error.is(ErrorCode::kSystem) || error.is(ErrorCode::kProtocol);
}

// retry= and bg, as nfs(5) has them. With bg the command that waits is let go after the first
// failure, so an automounter must not be among its callers (docs: autofs knows who mounts by the
// process group, which a daemon leaves).
Status connect_patiently(const Config& config, Service& service, TerminalPrompter& prompter,
                         Readiness& readiness) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::minutes kBackgroundPatience{10'000};
  constexpr int kPauseFirstMs = 1'000;
  constexpr int kPauseLongestMs = 30'000;
  std::chrono::minutes patience(config.retry_min.value_or(0));
  if (config.background_retry && !config.retry_min) patience = kBackgroundPatience;
  const Clock::time_point deadline = Clock::now() + patience;
  for (int pause_ms = kPauseFirstMs;; pause_ms = std::min(2 * pause_ms, kPauseLongestMs)) {
    const Status connected = service.connect(prompter);
    if (connected || !may_heal(connected.error())) return connected;
    if (Clock::now() >= deadline) return connected;
    tell(config, connected.error().describe() + "; trying again");
    if (config.background_retry && !readiness.is_ready()) {
      const Status let_go = readiness.ready();
      if (!let_go) return let_go;
      log_info("{}: {}; trying again in the background", config.source.text,
               connected.error().describe());
    }
    service.pause(std::chrono::milliseconds(pause_ms));
  }
}

// The password that is there before the server asks for one; empty: none is.
Result<ssh::Secret> given_password(const Config& config, const ssh::Options& options,
                                   TerminalPrompter& prompter) {
  const Result<UniqueFd> source = open_password(config);
  if (!source) return fail(source.error());
  if (*source) return read_password_line(source->get());
  // ssh(1) itself asks at the terminal; systemd's agents it does not know.
  const bool ask_now = config.systemd_ask_password && config.transport == Transport::kSsh &&
                       !Terminal::open() && prompter.available();
  if (!ask_now) return ssh::Secret();
  return prompter.ask_secret(fmt::format("Password of {}: ", options.host));
}

// Not where ssh(1), or proxies, may run what the user has configured, with whatever rights that
// needs.
bool in_sandbox(const Config& config, const ssh::Options& options) {
  const ssh::ClientConfig* said = options.client_config.get();
  const bool proxied =
      said != nullptr && (said->wanted("proxycommand") || said->wanted("proxyjump"));
  return config.sandbox && !proxied && config.transport != Transport::kSsh;
}

// In the daemon's process (or ours, in the foreground): everything between fork and exit.
Outcome serve_mount(const Config& config, const Mountpoint& mountpoint,
                    const ssh::Options& ssh_options, const fs::Options& fs_options,
                    TerminalPrompter& prompter, Readiness& readiness) {
  // Before there are threads, secrets and connections that it should not have.
  std::optional<Unmounter> unmounter;
  if (in_sandbox(config, ssh_options) && !config.check) {
    Result<Unmounter> started = Unmounter::start(mountpoint.path);
    if (!started) return Outcome{ExitCode::kSystem, started.error().describe()};
    unmounter.emplace(std::move(*started));
  }
  // Read by the process that keeps it: locked memory is not inherited through a fork.
  Result<ssh::Secret> password = given_password(config, ssh_options, prompter);
  if (!password) return Outcome{ExitCode::kUsage, password.error().describe()};
  const Status library = ssh::libssh2_start();
  if (!library) return Outcome{ExitCode::kSystem, library.error().describe()};
  std::unique_ptr<ssh::CtrAcceleration> acceleration = accelerate(config);
  Service service(config, fs_options, ssh_options);
  if (unmounter) service.set_unmounter(std::move(*unmounter));
  if (!password->empty()) service.set_password(std::move(*password));
  if (!config.lazy_connect) {
    tell(config, "connecting to " + ssh_options.host);
    const Status connected = connect_patiently(config, service, prompter, readiness);
    if (!connected) return failed(config, connected.error());
  }
  if (config.check) return service.check();
  tell(config, "connected; mounting " + config.source.text + " on " + mountpoint.path);
  return service.serve(mountpoint.path, readiness);
}

Status prepare_process(const Config& config) {
  if (!config.fake && !config.check) prepare_control_directory(config.run_as_user);
  if (!config.run_as_user.empty()) {
    const Status user = become_user(config.run_as_user);
    if (!user) return user;
  }
  if (config.debug) return {};
  return harden_process();
}

// Asks ssh what its configuration says, and completes both kinds of options with it.
Result<ssh::Settled> settle_ssh(Config& config) {
  Result<ssh::Options> options = ssh_options(config);
  if (!options) return fail(options.error());
  Result<ssh::Settled> settled = ssh::settle(std::move(*options), nullptr);
  if (!settled) return settled;
  settled->options.own_program = own_program();
  if (Status taken = take_settled(settled->options, config); !taken) return fail(taken.error());
  return settled;
}

void give_up_rights(const Config& config, const ssh::Options& options) {
  if (!in_sandbox(config, options)) return;
  const Status dropped = drop_rights();
  if (!dropped) log_warning("going on with all rights: {}", dropped.error().describe());
}

int mount_now(Config config) {
  const Status prepared = prepare_process(config);
  if (!prepared) return complain(prepared.error(), exit_code_for(prepared.error()));
  // As the user whose ~/.ssh/config it is.
  const Result<ssh::Settled> ssh = settle_ssh(config);
  if (!ssh) return complain(ssh.error(), exit_code_for(ssh.error()));
  give_up_rights(config, ssh->options);
  if (config.idmap == IdMapping::kUser && config.lazy_connect) {
    fmt::print(
        stderr,
        "{}: idmap=user has no effect with lazy_connect, which asks nobody; use uid= and gid=\n",
        kIdent);
  }
  fs::Options fs = fs_options(config, std::thread::hardware_concurrency());
  Result<fs::IdRules> ids = id_rules(config);
  if (!ids) return complain(ids.error(), ExitCode::kUsage);
  fs.ids = std::move(*ids);
  const Result<Mountpoint> mountpoint = config.check ? Mountpoint{} : prepare_mountpoint(config);
  if (!mountpoint) return complain(mountpoint.error(), exit_code_for(mountpoint.error()));
  if (config.fake && !config.check) return static_cast<int>(ExitCode::kOk);

  AskpassPolicy askpass = AskpassPolicy::from_environment();
  if (config.systemd_ask_password) askpass = askpass.or_systemd();
  TerminalPrompter prompter(std::move(askpass));
  const bool foreground = config.foreground || config.check;
  LogSink sink = foreground ? LogSink::kStderr : LogSink::kSyslog;
  if (log_is_journal()) {
    sink = LogSink::kJournal;
    log_add_field("SFTPFS_MOUNT", config.mountpoint);
    log_add_field("SFTPFS_SOURCE", config.source.text);
  }
  LogLevel level = config.debug ? LogLevel::kDebug : config.log_level.value_or(LogLevel::kInfo);
  // Who only checks wants to hear of what is wrong.
  if (config.check && !config.verbose && !config.debug) level = LogLevel::kWarning;
  log_open(sink, level, kIdent);
  for (const std::string& note : ssh->notes) {
    tell(config, note);
    log_info("{}", note);
  }
  const ExitCode code = run_daemon(foreground, kIdent, [&](Readiness& readiness) {
    return serve_mount(config, *mountpoint, ssh->options, fs, prompter, readiness);
  });
  return static_cast<int>(code);
}

}  // namespace

int mount_run(int argc, char** argv) {
  const Status standard = occupy_standard_fds();
  if (!standard) return complain(standard.error(), ExitCode::kSystem);
  if (called_as_askpass()) return askpass_run(argc, argv);
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  if (called_as_jump(arguments)) return jump_run(arguments);
  Result<CommandLine> line = parse_command_line(arguments);
  if (!line) return complain(line.error(), ExitCode::kUsage);
  for (const std::string& warning : line->warnings) {
    fmt::print(stderr, "{}: {}\n", kIdent, warning);
  }
  const std::string& elsewhere = line->config.mount_namespace;
  const Status entered = elsewhere.empty() ? Status() : enter_mount_namespace(elsewhere);
  if (!entered) return complain(entered.error(), ExitCode::kSystem);
  switch (line->action) {
    case Action::kHelp: fmt::print("{}", help_text()); return 0;
    case Action::kVersion: fmt::print("{}", version_text()); return 0;
    case Action::kRemount: {
      const Result<std::string> done = remount(line->config);
      if (done && !done->empty()) fmt::print(stderr, "{}: {}\n", kIdent, *done);
      return done ? 0 : complain(done.error(), exit_code_for(done.error()));
    }
    case Action::kMount: break;
  }
  apply_credentials(line->config);
  return mount_now(line->config);
}

}  // namespace sftpfs::app
