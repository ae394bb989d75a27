// The words that both transports use when a server cannot be reached or does not let us in: what
// one can do about it is the same, whoever noticed.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sftpfs::ssh {

// Behind "USER@HOST" each.
constexpr std::string_view kSilentText =
    ": the server did not answer in time; if it is only slow, raise -o ConnectTimeout=";
constexpr std::string_view kNoGreetingText =
    ": no SSH server answered; is the port right, and has the server not too many guests already "
    "(MaxStartups)?";
constexpr std::string_view kHungUpText =
    ": no SSH server answered, or it hung up before the log-in; is the port right, and has the "
    "server not too many guests already (MaxStartups)?";
// Behind what was wrong.
constexpr std::string_view kUnknownHostCure =
    "connect once with ssh and compare the fingerprint, or use -o StrictHostKeyChecking=accept-new";
constexpr std::string_view kNoSubsystemCure =
    "is SFTP switched on there? another way to start it can be named with -o sftp_server=";

// Behind "cannot connect to HOST port PORT: ".
std::string no_answer_text(const std::string& port);
// What one can do about a failed connect(2), whose cause is in the words of strerror(3).
std::string_view unreachable_cure(std::string_view cause);

}  // namespace sftpfs::ssh
