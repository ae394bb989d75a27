// See auth.h and authenticator.h: which method is next, and what the server says to it.
#include "ssh/auth.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/log.h"
#include "ssh/authenticator.h"

namespace sftpfs::ssh {

namespace {

struct Method {
  const char* name;
  Result<AuthOutcome> (Authenticator::*run)();
};

}  // namespace

Status Authenticator::run() {
  static constexpr std::array<Method, 3> kMethods{{
      {"publickey", &Authenticator::try_keys},
      {"keyboard-interactive", &Authenticator::try_keyboard_interactive},
      {"password", &Authenticator::try_password},
  }};
  std::vector<Method> left;  // in the user's order
  for (const std::string& wanted : context_.target.methods) {
    for (const Method& method : kMethods) {
      if (wanted == method.name) left.push_back(method);
    }
  }
  Result<AuthOutcome> outcome = ask_methods();
  while (outcome && *outcome != AuthOutcome::kSuccess) {
    const auto next = std::find_if(left.begin(), left.end(),
                                   [this](const Method& method) { return offers(method.name); });
    if (next == left.end()) return denied();
    const Method method = *next;
    left.erase(next);
    outcome = (this->*method.run)();
  }
  if (!outcome) return fail(outcome.error());
  return {};
}

Result<AuthOutcome> Authenticator::ask_methods() {
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
  if (list == nullptr) return AuthOutcome::kSuccess;
  methods_ = list;
  log_debug("{}: the server accepts {}", session_.peer(), methods_);
  return AuthOutcome::kRefused;
}

Result<AuthOutcome> Authenticator::look_for_progress() {
  // Asking counts as a failure itself; the last one is better spent on a real try.
  if (failures_ >= kFailuresBeforeLastTry) return AuthOutcome::kRefused;
  const std::string before = methods_;
  Result<AuthOutcome> asked = ask_methods();
  if (!asked || *asked == AuthOutcome::kSuccess) return asked;
  ++failures_;
  return methods_ == before ? AuthOutcome::kRefused : AuthOutcome::kPartial;
}

bool Authenticator::offers(std::string_view method) const {
  return fmt::format(",{},", methods_).find(fmt::format(",{},", method)) != std::string::npos;
}

Status Authenticator::denied() const {
  return fail(ErrorCode::kAuthentication,
              fmt::format("{}: permission denied (the server accepts {}); tried: {}",
                          session_.peer(), methods_.empty() ? "nothing of this user" : methods_,
                          notes_.empty() ? "nothing" : fmt::format("{}", fmt::join(notes_, "; "))));
}

Status authenticate(Libssh2Session& session, const LoginContext& context) {
  return Authenticator(session, context).run();
}

}  // namespace sftpfs::ssh
