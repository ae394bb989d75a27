// See child_password.h.
#include "ssh/child_password.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>

#include "ssh/client_config.h"
#include "ssh/random_word.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {
namespace {

// ssh shows no more of them.
constexpr std::size_t kUserShown = 30;
constexpr std::size_t kHostShown = 128;

void send_answer(int to, std::string_view password, char kind) {
  char end = '\n';
  std::array<iovec, 3> pieces{
      {{&kind, 1}, {const_cast<char*>(password.data()), password.size()}, {&end, 1}}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  // Who has gone away needs no answer, and one line always fits.
  [[maybe_unused]] const ssize_t sent = ::sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

bool is_password_prompt(std::string_view text) {
  const std::string lower = lower_case(text);
  return lower.find("password") != std::string::npos &&
         lower.find("one-time") == std::string::npos && lower.find("otp") == std::string::npos;
}

ChildPassword::ChildPassword(const Options& options, const Secret& password)
    : word_(random_word()), program_(options.own_program), password_(password.clone()) {}

Result<std::shared_ptr<ChildPassword>> ChildPassword::create(const Options& options,
                                                             const Secret& password) {
  Result<Target> target = resolve(options);
  if (!target) return fail(target.error());
  std::shared_ptr<ChildPassword> made(new ChildPassword(options, password));
  const std::string user = target->user + "@";
  made->login_ = user + lower_case(target->host);
  if (target->known_as != target->host) made->alias_login_ = user + target->known_as;
  return made;
}

Child::Setup ChildPassword::setup(bool terminal) const {
  Child::Setup setup;
  setup.answerable = true;
  setup.environment = {"SSH_ASKPASS=" + program_, "SSH_ASKPASS_REQUIRE=force",
                       fmt::format("{}={}", kAskpassWordVariable, word_),
                       fmt::format("{}={}", kAskpassTerminalVariable, terminal ? "yes" : "no")};
  return setup;
}

bool ChildPassword::take_question(std::string_view line, int answers) const {
  if (!line.starts_with(kAskpassQuestion)) return false;
  line.remove_prefix(kAskpassQuestion.size());
  if (!line.starts_with(word_)) return false;
  line.remove_prefix(word_.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (is_meant(line)) {
    send_answer(answers, password_.view(), kAskpassAnswer);
  } else {
    send_answer(answers, {}, kAskpassNoAnswer);
  }
  return true;
}

bool ChildPassword::is_meant(std::string_view prompt) const {
  for (const std::string& login : {login_, alias_login_}) {
    if (login.empty()) continue;
    const std::size_t at = login.rfind('@');
    const std::string shown =
        login.substr(0, std::min(at, kUserShown)) + login.substr(at, kHostShown + 1);
    if (prompt.starts_with(shown + "'s password:")) return true;
    // Keyboard-interactive: "(user@host) ", and what the server says.
    const std::string before = "(" + login + ") ";
    if (prompt.starts_with(before)) return is_password_prompt(prompt.substr(before.size()));
  }
  return false;
}

}  // namespace sftpfs::ssh
