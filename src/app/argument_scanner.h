// The words of a command line in the classic form: bundled one-letter flags (-sf), flags with a
// value (-p 22, -p22), "--" before operands, operands anywhere.
//
// Why our own: getopt_long stops at the first operand when POSIXLY_CORRECT is set (mount(8) puts
// its flags behind) and keeps state between calls; CLI11 takes an operand that looks like
// "[user@::1]" for a list and "{}" for nothing. A source from fstab must arrive as it is.
// Threads: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sftpfs::app {

struct Flag {
  char letter;
  std::string value;  // empty when the flag takes none
};

struct Words {
  std::vector<Flag> flags;  // in order
  std::vector<std::string> operands;
};

// `letters` as for getopt(3): "fo:" is a plain -f and a -o with a value. --help and --version are
// -h and -V.
Result<Words> scan_arguments(std::span<const char* const> arguments, std::string_view letters);

}  // namespace sftpfs::app
