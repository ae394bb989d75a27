// See auth.h.
//
//   none --list--> [publickey] -> [keyboard-interactive] -> [password] -> failed
//                       |                  |                    |
//                       +---- partial success: the new list of methods, on with the next one
//                       +---- success
//
// Each method is left when it is used up and not entered again; a server that wants two keys gets
// the second from the same pass over the keys.
#include "ssh/auth.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "ssh/offer_key.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

// OpenSSH's MaxAuthTries is 6: the sixth failure ends the connection.
constexpr int kFailuresBeforeLastTry = 5;
// Where there is nothing but keys they may use up the server's patience.
constexpr int kKeyTriesMax = 20;

enum class Outcome : std::uint8_t {
  kSuccess,
  kPartial,  // accepted, and the server wants another method too
  kRefused,
};

// Ends the sensitive phase of the session whatever happens in between.
class SensitivePhase {
 public:
  explicit SensitivePhase(Libssh2Session& session) : session_(session) {
    session_.memory().set_sensitive(true);
  }
  ~SensitivePhase() { session_.memory().set_sensitive(false); }
  SensitivePhase(const SensitivePhase&) = delete;
  SensitivePhase& operator=(const SensitivePhase&) = delete;

 private:
  Libssh2Session& session_;
};

// OpenSSH from 7.2 on has rsa-sha2, and newer ones refuse SHA-1: no use in trying it there.
bool wants_sha1(const std::string& banner) {
  constexpr std::string_view kOpenSsh = "SSH-2.0-OpenSSH_";
  if (!banner.starts_with(kOpenSsh)) return true;
  const double version = std::atof(banner.c_str() + kOpenSsh.size());
  return version < 7.2;
}

bool is_password_prompt(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("password") != std::string::npos &&
         lower.find("one-time") == std::string::npos && lower.find("otp") == std::string::npos;
}

class Authenticator {
 public:
  Authenticator(Libssh2Session& session, const LoginContext& context)
      : session_(session), context_(context) {}

  Status run();

  // Called back by libssh2 with the server's questions.
  void answer(int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
              LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, std::string_view instruction);

 private:
  // Asks with a "none" request; kSuccess when the server wants nothing more.
  Result<Outcome> ask_methods();
  // After a method that was accepted but not enough, or failed: which of the two?
  Result<Outcome> look_for_progress();
  bool offers(std::string_view method) const;

  Result<Outcome> try_keys();
  // `fallback`: the algorithms that were not tried at first.
  Result<Outcome> try_key(Identity& identity, bool fallback);
  Result<Outcome> offer(Identity& identity, const std::string& blob, std::string_view algorithm);
  Result<Outcome> after_proof(const Identity& identity, const std::string& blob);
  Result<Outcome> try_keyboard_interactive();
  Result<Outcome> one_conversation();
  Result<Outcome> try_password();
  Result<Outcome> send_password(const Secret& password);
  Result<Secret> ask(const std::string& prompt);
  bool passwords_allowed() const { return context_.login.trust() == HostKeyTrust::kFull; }
  bool password_possible() const {
    return passwords_allowed() && (context_.can_ask() || context_.login.password() != nullptr) &&
           (offers("password") || offers("keyboard-interactive"));
  }
  Status denied() const;

  Libssh2Session& session_;
  const LoginContext& context_;
  std::string methods_;             // as the server lists them
  std::vector<std::string> notes_;  // what was tried and why it failed
  int failures_ = 0;                // as the server counts them
  // One keyboard-interactive conversation.
  Secret typed_password_;
  bool reuse_password_ = false;
  bool beyond_password_ = false;
  std::optional<Error> given_up_;
};

void answer_prompts(const char* /*name*/, int /*name_size*/, const char* instruction,
                    int instruction_size, int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                    LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, void** abstract) {
  auto& session = *static_cast<Libssh2Session*>(*abstract);
  const auto size = static_cast<std::size_t>(std::max(instruction_size, 0));
  static_cast<Authenticator*>(session.user_data())
      ->answer(count, prompts, responses, {instruction, instruction == nullptr ? 0 : size});
}

Status Authenticator::run() {
  struct Method {
    const char* name;
    Result<Outcome> (Authenticator::*run)();
  };
  static constexpr std::array<Method, 3> kMethods{{
      {"publickey", &Authenticator::try_keys},
      {"keyboard-interactive", &Authenticator::try_keyboard_interactive},
      {"password", &Authenticator::try_password},
  }};
  Result<Outcome> outcome = ask_methods();
  std::array<bool, kMethods.size()> used{};
  while (outcome && *outcome != Outcome::kSuccess) {
    std::size_t next = 0;
    while (next < kMethods.size() && (used[next] || !offers(kMethods[next].name))) ++next;
    if (next == kMethods.size()) return denied();
    used[next] = true;
    outcome = (this->*kMethods[next].run)();
  }
  if (!outcome) return fail(outcome.error());
  return {};
}

Result<Outcome> Authenticator::ask_methods() {
  const std::string& user = context_.target.user;
  const char* list = nullptr;
  Result<long> rc = session_.drive(context_.patience, [&]() -> long {
    list =
        libssh2_userauth_list(session_.raw(), user.data(), static_cast<unsigned int>(user.size()));
    // The last error is stale when the server has let us in without further ado.
    if (list != nullptr || libssh2_userauth_authenticated(session_.raw()) != 0) return 0;
    return libssh2_session_last_errno(session_.raw());
  });
  if (!rc) return fail(rc.error());
  if (*rc != 0) return fail(session_.failure(*rc));
  if (list == nullptr) return Outcome::kSuccess;
  methods_ = list;
  log_debug("{}: the server accepts {}", session_.peer(), methods_);
  return Outcome::kRefused;
}

Result<Outcome> Authenticator::look_for_progress() {
  // Asking counts as a failure itself; the last one is better spent on a real try.
  if (failures_ >= kFailuresBeforeLastTry) return Outcome::kRefused;
  const std::string before = methods_;
  Result<Outcome> asked = ask_methods();
  if (!asked || *asked == Outcome::kSuccess) return asked;
  ++failures_;
  return methods_ == before ? Outcome::kRefused : Outcome::kPartial;
}

bool Authenticator::offers(std::string_view method) const {
  return fmt::format(",{},", methods_).find(fmt::format(",{},", method)) != std::string::npos;
}

Result<Outcome> Authenticator::try_keys() {
  std::vector<std::unique_ptr<Identity>> identities = find_identities(context_, notes_);
  for (const bool fallback : {false, true}) {
    for (const std::unique_ptr<Identity>& identity : identities) {
      const int tries_max = password_possible() ? kFailuresBeforeLastTry : kKeyTriesMax;
      if (failures_ >= tries_max) {
        notes_.push_back(
            fmt::format("{} and further keys: not tried, servers end the connection "
                        "after too many failures (see -o IdentitiesOnly)",
                        identity->label()));
        return Outcome::kRefused;
      }
      Result<Outcome> outcome = try_key(*identity, fallback);
      if (!outcome || *outcome == Outcome::kSuccess) return outcome;
      if (*outcome == Outcome::kPartial && !offers("publickey")) return outcome;
    }
  }
  if (identities.empty()) notes_.emplace_back("no key found");
  return Outcome::kRefused;
}

Result<Outcome> Authenticator::try_key(Identity& identity, bool fallback) {
  Result<std::string> blob = identity.public_blob();
  if (!blob) {
    if (!fallback) {
      notes_.push_back(fmt::format("{}: {}", identity.label(), blob.error().describe()));
    }
    return Outcome::kRefused;
  }
  const std::string type = key_type(*blob);
  std::vector<std::string> algorithms{type};
  if (type == "ssh-rsa") {
    algorithms = {"rsa-sha2-512"};
    if (fallback) algorithms = {"rsa-sha2-256"};
    if (fallback && wants_sha1(session_.server_banner())) algorithms.emplace_back("ssh-rsa");
  } else if (fallback) {
    return Outcome::kRefused;
  }
  for (const std::string& algorithm : algorithms) {
    Result<Outcome> outcome = offer(identity, *blob, algorithm);
    if (!outcome || *outcome != Outcome::kRefused) return outcome;
  }
  return Outcome::kRefused;
}

Result<Outcome> Authenticator::offer(Identity& identity, const std::string& blob,
                                     std::string_view algorithm) {
  log_debug("{}: offering {} as {}", session_.peer(), identity.label(), algorithm);
  Result<KeyOffer> offered = offer_key(session_, context_, identity, blob, algorithm);
  if (!offered) return fail(offered.error());
  switch (offered->answer) {
    case KeyOffer::Answer::kLoggedIn:
      context_.login.set_accepted_key(blob);
      return Outcome::kSuccess;
    case KeyOffer::Answer::kUnsigned:
      if (offered->signing_error->is(ErrorCode::kCancelled)) return fail(*offered->signing_error);
      notes_.push_back(fmt::format("{}: {}", identity.label(), offered->signing_error->describe()));
      return Outcome::kRefused;
    case KeyOffer::Answer::kProven: return after_proof(identity, blob);
    case KeyOffer::Answer::kRefused: break;
  }
  ++failures_;
  notes_.push_back(fmt::format("{}: the server refused it as {}", identity.label(), algorithm));
  return Outcome::kRefused;
}

// Not let in with a good signature: either the server wants more, or it has had second thoughts.
Result<Outcome> Authenticator::after_proof(const Identity& identity, const std::string& blob) {
  Result<Outcome> progress = look_for_progress();
  if (!progress) return progress;
  if (*progress == Outcome::kRefused) {
    ++failures_;
    notes_.push_back(fmt::format("{}: the server refused its signature", identity.label()));
  } else {
    context_.login.set_accepted_key(blob);
  }
  return progress;
}

Result<Secret> Authenticator::ask(const std::string& prompt) {
  const Patience::Pause pause(context_.patience);
  return context_.prompter->ask_secret(prompt);
}

void Authenticator::answer(int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                           LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses,
                           std::string_view instruction) {
  for (int i = 0; i < count; ++i) {
    const auto* text = reinterpret_cast<const char*>(prompts[i].text);
    const std::string_view prompt(text, text == nullptr ? 0 : prompts[i].length);
    const bool plain = count == 1 && prompts[i].echo == 0 && is_password_prompt(prompt);
    beyond_password_ = beyond_password_ || !plain;
    Secret typed;
    const Secret* password = context_.login.password();
    if (plain && reuse_password_ && password != nullptr) {
      typed = password->clone();
      reuse_password_ = false;
    } else if (context_.can_ask() && !given_up_) {
      std::string shown = fmt::format("({}) ", context_.target.label());
      if (i == 0 && !instruction.empty()) shown += safe_prompt(instruction) + "\n";
      Result<Secret> asked = ask(shown + safe_prompt(prompt));
      if (asked) {
        typed = std::move(*asked);
      } else {
        given_up_ = asked.error();
      }
    }
    // libssh2 frees the text, which wipes it.
    responses[i].text = static_cast<char*>(session_.memory().allocate(typed.size() + 1));
    if (responses[i].text == nullptr) return;
    std::memcpy(responses[i].text, typed.c_str(), typed.size() + 1);
    responses[i].length = static_cast<unsigned int>(typed.size());
    if (plain) typed_password_ = std::move(typed);
  }
}

Result<Outcome> Authenticator::one_conversation() {
  typed_password_ = Secret();
  beyond_password_ = false;
  const SensitivePhase sensitive(session_);
  session_.set_user_data(this);
  const std::string& user = context_.target.user;
  Result<long> rc = session_.drive(context_.patience, [&] {
    return long{libssh2_userauth_keyboard_interactive_ex(
        session_.raw(), user.data(), static_cast<unsigned int>(user.size()), &answer_prompts)};
  });
  session_.set_user_data(nullptr);
  if (!rc) return fail(rc.error());
  if (given_up_) return fail(*given_up_);
  if (*rc != 0 && *rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED) return fail(session_.failure(*rc));
  if (*rc != 0) ++failures_;
  Result<Outcome> outcome = *rc == 0 ? Result<Outcome>(Outcome::kSuccess) : look_for_progress();
  if (outcome && *outcome != Outcome::kRefused) {
    if (beyond_password_) context_.login.set_once_only();
    if (!typed_password_.empty()) context_.login.keep_password(std::move(typed_password_));
  }
  return outcome;
}

Result<Outcome> Authenticator::try_keyboard_interactive() {
  if (!password_possible()) {
    notes_.push_back(fmt::format("keyboard-interactive: {}", passwords_allowed()
                                                                 ? "nobody can be asked"
                                                                 : "not with a changed host key"));
    return Outcome::kRefused;
  }
  reuse_password_ = true;
  const int rounds = context_.can_ask() ? context_.target.password_prompts : 1;
  for (int round = 0; round < rounds; ++round) {
    Result<Outcome> outcome = one_conversation();
    if (!outcome || *outcome != Outcome::kRefused) return outcome;
    reuse_password_ = false;
  }
  notes_.emplace_back("keyboard-interactive: the server refused the answers");
  return Outcome::kRefused;
}

Result<Outcome> Authenticator::send_password(const Secret& password) {
  const SensitivePhase sensitive(session_);
  const std::string& user = context_.target.user;
  Result<long> rc = session_.drive(context_.patience, [&] {
    return long{libssh2_userauth_password_ex(
        session_.raw(), user.data(), static_cast<unsigned int>(user.size()), password.view().data(),
        static_cast<unsigned int>(password.size()), nullptr)};
  });
  if (!rc) return fail(rc.error());
  if (*rc == 0) return Outcome::kSuccess;
  if (*rc == LIBSSH2_ERROR_PASSWORD_EXPIRED) {
    return fail(ErrorCode::kAuthentication,
                fmt::format("{}: the password has expired; log in with ssh once to change it",
                            session_.peer()));
  }
  if (*rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED) return fail(session_.failure(*rc));
  ++failures_;
  return look_for_progress();
}

Result<Outcome> Authenticator::try_password() {
  if (!password_possible()) {
    notes_.push_back(fmt::format("password: {}", passwords_allowed()
                                                     ? "nobody can be asked"
                                                     : "not with a changed host key"));
    return Outcome::kRefused;
  }
  if (const Secret* kept = context_.login.password()) {
    Result<Outcome> outcome = send_password(*kept);
    if (!outcome || *outcome != Outcome::kRefused) return outcome;
  }
  const int rounds = context_.can_ask() ? context_.target.password_prompts : 0;
  const std::string prompt =
      fmt::format("{}@{}'s password: ", context_.target.user, context_.target.host);
  for (int round = 0; round < rounds; ++round) {
    Result<Secret> typed = ask(prompt);
    if (!typed) return fail(typed.error());
    Result<Outcome> outcome = send_password(*typed);
    if (outcome && *outcome != Outcome::kRefused) context_.login.keep_password(std::move(*typed));
    if (!outcome || *outcome != Outcome::kRefused) return outcome;
  }
  notes_.emplace_back("password: the server refused it");
  return Outcome::kRefused;
}

Status Authenticator::denied() const {
  return fail(ErrorCode::kAuthentication,
              fmt::format("{}: permission denied (the server accepts {}); tried: {}",
                          session_.peer(), methods_,
                          notes_.empty() ? "nothing" : fmt::format("{}", fmt::join(notes_, "; "))));
}

}  // namespace

std::string safe_prompt(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    // Escape sequences could rewrite what stands above the prompt. UTF-8 passes.
    safe.push_back(byte < 0x20 || byte == 0x7f ? (c == '\n' ? '\n' : '?') : c);
  }
  return safe;
}

Status authenticate(Libssh2Session& session, const LoginContext& context) {
  return Authenticator(session, context).run();
}

}  // namespace sftpfs::ssh
