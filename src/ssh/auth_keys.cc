// See authenticator.h: publickey.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/log.h"
#include "ssh/authenticator.h"
#include "ssh/client_config.h"
#include "ssh/offer_key.h"
#include "ssh/public_key.h"
#include "ssh/wildcard.h"

namespace sftpfs::ssh {
namespace {

// Where there is nothing but keys they may use up the server's patience.
constexpr int kKeyTriesMax = 20;

// OpenSSH from 7.2 on has rsa-sha2, and newer ones refuse SHA-1: no use in trying it there.
bool wants_sha1(const std::string& banner) {
  constexpr std::string_view kOpenSsh = "SSH-2.0-OpenSSH_";
  if (!banner.starts_with(kOpenSsh)) return true;
  const double version = std::atof(banner.c_str() + kOpenSsh.size());
  return version < 7.2;
}

// PubkeyAcceptedAlgorithms; without ssh(1) to expand it, it may still begin with '+', '-' or '^'.
bool allows_key_algorithm(const std::string& list, const std::string& algorithm) {
  if (list.empty() || list.front() == '+' || list.front() == '^') return true;
  const bool removes = list.front() == '-';
  const std::vector<std::string> names = split_list(removes ? list.substr(1) : list);
  const bool named = std::any_of(names.begin(), names.end(), [&](const std::string& pattern) {
    return wildcard_match(pattern, algorithm);
  });
  return named != removes;
}

}  // namespace

Result<AuthOutcome> Authenticator::try_keys() {
  std::vector<std::unique_ptr<Identity>> identities = find_identities(context_, notes_);
  for (const bool fallback : {false, true}) {
    for (const std::unique_ptr<Identity>& identity : identities) {
      const int tries_max = password_possible() ? kFailuresBeforeLastTry : kKeyTriesMax;
      if (failures_ >= tries_max) {
        notes_.push_back(
            fmt::format("{} and further keys: not tried, servers end the connection "
                        "after too many failures (see -o IdentitiesOnly)",
                        identity->label()));
        return AuthOutcome::kRefused;
      }
      Result<AuthOutcome> outcome = try_key(*identity, fallback);
      if (!outcome || *outcome == AuthOutcome::kSuccess) return outcome;
      if (*outcome == AuthOutcome::kPartial && !offers("publickey")) return outcome;
    }
  }
  if (identities.empty()) notes_.emplace_back("no key found");
  return AuthOutcome::kRefused;
}

Result<AuthOutcome> Authenticator::try_key(Identity& identity, bool fallback) {
  Result<std::string> blob = identity.public_blob();
  if (!blob) {
    if (!fallback) {
      notes_.push_back(fmt::format("{}: {}", identity.label(), blob.error().describe()));
    }
    return AuthOutcome::kRefused;
  }
  const std::string type = key_type(*blob);
  std::vector<std::string> algorithms{type};
  if (type == "ssh-rsa") {
    algorithms = {"rsa-sha2-512"};
    if (fallback) algorithms = {"rsa-sha2-256"};
    if (fallback && wants_sha1(session_.server_banner())) algorithms.emplace_back("ssh-rsa");
  } else if (fallback) {
    return AuthOutcome::kRefused;
  }
  for (const std::string& algorithm : algorithms) {
    if (!allows_key_algorithm(context_.target.key_algorithms, algorithm)) {
      notes_.push_back(fmt::format("{}: PubkeyAcceptedAlgorithms does not have {}",
                                   identity.label(), algorithm));
      continue;
    }
    Result<AuthOutcome> outcome = offer(identity, *blob, algorithm);
    if (!outcome || *outcome != AuthOutcome::kRefused) return outcome;
  }
  return AuthOutcome::kRefused;
}

Result<AuthOutcome> Authenticator::offer(Identity& identity, const std::string& blob,
                                         std::string_view algorithm) {
  log_debug("{}: offering {} as {}", session_.peer(), identity.label(), algorithm);
  Result<KeyOffer> offered = offer_key(session_, context_, identity, blob, algorithm);
  if (!offered) return fail(offered.error());
  switch (offered->answer) {
    case KeyOffer::Answer::kLoggedIn:
      context_.login.set_accepted_key(blob);
      return AuthOutcome::kSuccess;
    case KeyOffer::Answer::kUnsigned:
      if (offered->signing_error->is(ErrorCode::kCancelled)) return fail(*offered->signing_error);
      notes_.push_back(fmt::format("{}: {}", identity.label(), offered->signing_error->describe()));
      return AuthOutcome::kRefused;
    case KeyOffer::Answer::kProven: return after_proof(identity, blob);
    case KeyOffer::Answer::kRefused: break;
  }
  ++failures_;
  notes_.push_back(fmt::format("{}: the server refused it as {}", identity.label(), algorithm));
  return AuthOutcome::kRefused;
}

// Not let in with a good signature: either the server wants more, or it has had second thoughts.
Result<AuthOutcome> Authenticator::after_proof(const Identity& identity, const std::string& blob) {
  Result<AuthOutcome> progress = look_for_progress();
  if (!progress) return progress;
  if (*progress == AuthOutcome::kRefused) {
    ++failures_;
    notes_.push_back(fmt::format("{}: the server refused its signature", identity.label()));
  } else {
    context_.login.set_accepted_key(blob);
  }
  return progress;
}

}  // namespace sftpfs::ssh
