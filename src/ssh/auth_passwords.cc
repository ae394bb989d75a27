// See authenticator.h: keyboard-interactive and password.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "ssh/auth.h"
#include "ssh/authenticator.h"
#include "ssh/child_password.h"

namespace sftpfs::ssh {
namespace {

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

void answer_prompts(const char* /*name*/, int /*name_size*/, const char* instruction,
                    int instruction_size, int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                    LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, void** abstract) {
  auto& session = *static_cast<Libssh2Session*>(*abstract);
  const auto size = static_cast<std::size_t>(std::max(instruction_size, 0));
  static_cast<Authenticator*>(session.user_data())
      ->answer(count, prompts, responses, {instruction, instruction == nullptr ? 0 : size});
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

Result<AuthOutcome> Authenticator::one_conversation() {
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
  Result<AuthOutcome> outcome =
      *rc == 0 ? Result<AuthOutcome>(AuthOutcome::kSuccess) : look_for_progress();
  if (outcome && *outcome != AuthOutcome::kRefused) {
    if (beyond_password_) context_.login.set_once_only();
    if (!typed_password_.empty()) context_.login.keep_password(std::move(typed_password_));
  }
  return outcome;
}

Result<AuthOutcome> Authenticator::try_keyboard_interactive() {
  if (!password_possible()) {
    notes_.push_back(fmt::format("keyboard-interactive: {}", passwords_allowed()
                                                                 ? "nobody can be asked"
                                                                 : "not with a changed host key"));
    return AuthOutcome::kRefused;
  }
  reuse_password_ = true;
  const int rounds = context_.can_ask() ? context_.target.password_prompts : 1;
  for (int round = 0; round < rounds; ++round) {
    Result<AuthOutcome> outcome = one_conversation();
    if (!outcome || *outcome != AuthOutcome::kRefused) return outcome;
    reuse_password_ = false;
  }
  notes_.emplace_back("keyboard-interactive: the server refused the answers");
  return AuthOutcome::kRefused;
}

Result<AuthOutcome> Authenticator::send_password(const Secret& password) {
  const SensitivePhase sensitive(session_);
  const std::string& user = context_.target.user;
  Result<long> rc = session_.drive(context_.patience, [&] {
    return long{libssh2_userauth_password_ex(
        session_.raw(), user.data(), static_cast<unsigned int>(user.size()), password.view().data(),
        static_cast<unsigned int>(password.size()), nullptr)};
  });
  if (!rc) return fail(rc.error());
  if (*rc == 0) return AuthOutcome::kSuccess;
  if (*rc == LIBSSH2_ERROR_PASSWORD_EXPIRED) {
    return fail(ErrorCode::kAuthentication,
                fmt::format("{}: the password has expired; log in with ssh once to change it",
                            session_.peer()));
  }
  if (*rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED) return fail(session_.failure(*rc));
  ++failures_;
  return look_for_progress();
}

Result<AuthOutcome> Authenticator::try_password() {
  if (!password_possible()) {
    notes_.push_back(fmt::format("password: {}", passwords_allowed()
                                                     ? "nobody can be asked"
                                                     : "not with a changed host key"));
    return AuthOutcome::kRefused;
  }
  if (const Secret* kept = context_.login.password()) {
    Result<AuthOutcome> outcome = send_password(*kept);
    if (!outcome || *outcome != AuthOutcome::kRefused) return outcome;
  }
  const int rounds = context_.can_ask() ? context_.target.password_prompts : 0;
  const std::string prompt =
      fmt::format("{}@{}'s password: ", context_.target.user, context_.target.host);
  for (int round = 0; round < rounds; ++round) {
    Result<Secret> typed = ask(prompt);
    if (!typed) return fail(typed.error());
    Result<AuthOutcome> outcome = send_password(*typed);
    if (outcome && *outcome != AuthOutcome::kRefused)
      context_.login.keep_password(std::move(*typed));
    if (!outcome || *outcome != AuthOutcome::kRefused) return outcome;
  }
  notes_.emplace_back("password: the server refused it");
  return AuthOutcome::kRefused;
}

}  // namespace sftpfs::ssh
