// See host_key.h.
#include "ssh/host_key.h"

#include <fmt/core.h>

#include "base/log.h"
#include "ssh/messages.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

std::string place(const KnownHostsLine& line) { return fmt::format("{}:{}", line.file, line.line); }

std::string changed_text(const std::string& name, const KnownHostsLine& line,
                         const std::string& blob) {
  // A server that we know by another type of key would have shown that: we ask for it first. Only
  // libssh2 without RSA host keys cannot, which another transport can.
  const bool other_type = line.type != key_type(blob);
  return fmt::format(
      "host key of {} changed: {} has {}, the server shows {}; somebody may be listening in. If "
      "you trust the new key, remove the old line with: ssh-keygen -R '{}' -f {}{}",
      name, place(line), describe_key(line.blob), describe_key(blob), name, line.file,
      other_type ? " (or use -o transport=ssh, if the server has both)" : "");
}

std::string unknown_text(const std::string& name, const HostKeyVerdict& verdict,
                         const std::string& blob) {
  const std::string shown = describe_key(blob);
  if (verdict.certificate_authority) {
    return fmt::format(
        "host key of {} is not known ({}), only a certificate authority for it; use "
        "-o transport=ssh, which checks host certificates",
        name, shown);
  }
  return fmt::format("host key of {} is not known: the server shows {}; {}", name, shown,
                     kUnknownHostCure);
}

// Asks as ssh does. True: the person trusts the key.
Result<bool> ask(const std::string& name, const std::string& address, const std::string& blob,
                 Prompter& prompter, Patience& patience) {
  std::string text = fmt::format(
      "The authenticity of host '{} ({})' can't be established.\n{} key "
      "fingerprint is {}.\n",
      name, address, key_type_label(key_type(blob)), fingerprint(blob));
  text += "Are you sure you want to continue connecting (yes/no)? ";
  const Patience::Pause pause(patience);
  return prompter.confirm(text);
}

void record(const Target& target, const std::string& name, const std::string& blob) {
  if (target.user_known_hosts_files.empty()) return;
  const std::string& file = target.user_known_hosts_files.front();
  const Status added = append_known_host(file, name, target.hash_known_hosts, blob);
  if (added) {
    log_info("{}: host key {} added to {}", name, describe_key(blob), file);
  } else {
    // The person has agreed; that the next connection will ask again is no reason to refuse.
    log_warning("{}: cannot record the host key: {}", name, added.error().describe());
  }
}

}  // namespace

Result<HostKeyTrust> check_host_key(const Target& target, const KnownHosts& known,
                                    const std::string& blob, const std::string& address,
                                    Prompter* prompter, Patience& patience) {
  const std::string name = known_hosts_name(target.known_as, target.known_port);
  const HostKeyVerdict verdict = known.check(target.known_as, target.known_port, blob);
  const HostKeyPolicy policy = target.host_key_policy;
  switch (verdict.match) {
    case HostKeyMatch::kMatch: return HostKeyTrust::kFull;
    case HostKeyMatch::kRevoked:
      return fail(ErrorCode::kHostKey,
                  fmt::format("host key of {} is revoked: {} ({}); do not trust this server", name,
                              describe_key(blob), place(*verdict.line)));
    case HostKeyMatch::kChanged:
    case HostKeyMatch::kOtherTypes:
      if (policy != HostKeyPolicy::kNo) {
        return fail(ErrorCode::kHostKey, changed_text(name, *verdict.line, blob));
      }
      log_warning("{}; going on without passwords (StrictHostKeyChecking=no)",
                  changed_text(name, *verdict.line, blob));
      return HostKeyTrust::kNoPasswords;
    case HostKeyMatch::kNew: break;
  }
  const bool accept_unasked = policy == HostKeyPolicy::kNo || policy == HostKeyPolicy::kAcceptNew;
  if (!accept_unasked) {
    const bool can_ask = policy == HostKeyPolicy::kAsk && !target.batch_mode &&
                         prompter != nullptr && prompter->available();
    if (!can_ask) return fail(ErrorCode::kHostKey, unknown_text(name, verdict, blob));
    Result<bool> yes = ask(name, address, blob, *prompter, patience);
    if (!yes) return fail(yes.error());
    if (!*yes) {
      return fail(ErrorCode::kHostKey, fmt::format("host key of {} was not accepted", name));
    }
  }
  record(target, name, blob);
  return HostKeyTrust::kFull;
}

}  // namespace sftpfs::ssh
