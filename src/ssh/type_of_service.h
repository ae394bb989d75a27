// IPQoS of ssh_config(5): the class of service for a connection without a terminal.
//
// Threads: a pure function.
#pragma once

#include <optional>
#include <string_view>

namespace sftpfs::ssh {

// `words` is one class, or two of which the second counts here. Empty: leave it to the system
// ("none", or a word that is none).
std::optional<int> type_of_service(std::string_view words);

}  // namespace sftpfs::ssh
