// The table of all options: one row each, which -h, the parser and the tests read.
//
// Names of ssh_config(5) are matched in any case, all others as written; so `user=` (from
// mount(8)) and `User=` (of ssh_config) are two options, as with sshfs.
// Threads: immutable.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/error.h"

namespace sftpfs::app {

enum class Support : std::uint8_t {
  kFull,      // does what its help says
  kNoEffect,  // accepted: there is nothing to do for it, or it is always so here
  kMissing,   // accepted with a warning: somebody may rely on it, and this version cannot do it
  kRefused,   // an error; the help names the way out
  kSshHint,   // handed to ssh(1); libssh2 goes on without it, with a line in the log
  kSshOnly,   // handed to ssh(1); libssh2 must not go on without it
};

enum class Section : std::uint8_t {
  kGeneral,
  kConnection,
  kAccess,
  kCaching,
  kSsh,
  kMountFlags,
  kCompatibility,
};

// What it does with a mount that is there.
enum class OnRemount : std::uint8_t {
  kFixed,    // unmount and mount again
  kChanges,  // the mount that serves takes it
  kIgnored,  // was for the mounting
};

// What the words of the user become.
struct ParsedOptions {
  Config config;
  std::vector<std::string> warnings;  // one line each
};

struct OptionRow;
struct OptionUse {
  ParsedOptions& into;
  const OptionRow& row;
  std::string_view value;  // empty when the option takes none
};
using OptionHandler = Status (*)(const OptionUse& use);

struct OptionRow {
  std::string_view name;         // "x-*" is every name that starts with "x-"
  std::string_view placeholder;  // "": takes no value; "[NAME]": may; "NAME": must
  Section section;
  Support support;
  OptionHandler handler;  // nullptr: nothing to store
  std::string_view help;
  OnRemount on_remount = OnRemount::kFixed;

  bool takes_value() const { return !placeholder.empty(); }
  bool needs_value() const { return takes_value() && placeholder.front() != '['; }
};

std::span<const OptionRow> mount_option_rows();
std::span<const OptionRow> ssh_option_rows();

// nullptr: unknown.
const OptionRow* find_option(std::string_view name);
// The known name that differs least from `name`, by at most two typing errors; or empty.
std::string_view suggest_option(std::string_view name);

}  // namespace sftpfs::app
