// printable(): text that a server, a file or a user chose, made fit for one line of a log or a
// terminal.
//
// Threads: a pure function.
// Limits:  bytes that are no valid UTF-8 and every control character (C0, DEL, C1, the line and
//          paragraph separators, the bidirectional overrides) become \xNN; all else stays as it
//          is, a backslash too, so printing twice changes nothing.
#pragma once

#include <string>
#include <string_view>

namespace sftpfs {

std::string printable(std::string_view text);

}  // namespace sftpfs
