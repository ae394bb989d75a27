// ScriptedPrompter: answers a test has written down, and a record of what was asked.
//
// Threads: one thread.
// Limits:  when the script is at its end the "person" gives up (kCancelled).
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "ssh/prompter.h"

namespace sftpfs::ssh {

class ScriptedPrompter final : public Prompter {
 public:
  std::deque<std::string> secrets;
  std::deque<bool> confirmations;
  bool present = true;
  std::vector<std::string> asked;

  bool available() const override { return present; }

  Result<Secret> ask_secret(const std::string& prompt) override {
    asked.push_back(prompt);
    if (secrets.empty()) return fail(ErrorCode::kCancelled, "the script has no more answers");
    const std::string text = secrets.front();
    secrets.pop_front();
    return Secret::copy_of(text);
  }

  Result<bool> confirm(const std::string& prompt) override {
    asked.push_back(prompt);
    if (confirmations.empty()) return fail(ErrorCode::kCancelled, "the script has no more answers");
    const bool yes = confirmations.front();
    confirmations.pop_front();
    return yes;
  }
};

}  // namespace sftpfs::ssh
