// What an errno or a line of the log means, and what helps. docs/TROUBLESHOOTING.md is made of it.
//
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sftpfs::ctl {

struct Explanation {
  std::string_view key;    // "EIO", or what the line of the log contains
  std::string_view cause;  // one or two sentences
  std::string_view cure;
};

std::span<const Explanation> errno_explanations();
std::span<const Explanation> message_explanations();

// `what`: "5", "EIO", "Input/output error", or a line of the log. Empty: nothing is known of it.
std::string explain(std::string_view what);
// docs/TROUBLESHOOTING.md
std::string troubleshooting_page();

}  // namespace sftpfs::ctl
