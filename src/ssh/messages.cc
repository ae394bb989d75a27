// See messages.h.
#include "ssh/messages.h"

#include <fmt/core.h>

#include <array>
#include <utility>

namespace sftpfs::ssh {

std::string no_answer_text(const std::string& port) {
  return fmt::format("no answer in time; is the host up, and does a firewall let port {} through?",
                     port);
}

std::string_view unreachable_cure(std::string_view cause) {
  using Cure = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Cure, 4> kCures{{
      {"Connection refused", "; is sshd running there, and is the port right?"},
      {"No route to host", "; is the network up, and the address right?"},
      {"Network is unreachable", "; is the network up, and the address right?"},
      {"Cannot assign requested address",
       "; BindAddress and BindInterface must be of this machine"},
  }};
  for (const auto& [known, cure] : kCures) {
    if (cause == known) return cure;
  }
  return "";
}

}  // namespace sftpfs::ssh
