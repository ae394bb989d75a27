// Remount: changing a mount that is there (-o remount).
//
//   the command                            its daemon
//   which words are known? ──options──►    as given when it was mounted
//   words_to_change()
//   would it do? ───────────remount──►     remounted()
//   mount(2), where flags differ
//   then do it ─────────────remount──►     Control: from here on, for what is opened and asked
//
// Words that are not named stay as they are. Nothing is changed unless everything can be.
//
// Threads: any; the daemon is asked over its control socket, and waited for.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "base/error.h"

namespace sftpfs::app {

// Changes the mount at `asked.mountpoint` as `asked.words` and `asked.flags` say. Flags of mount(2)
// need root, the rest root or who has mounted. A line for the user, mostly empty: where only flags
// change, that works without the daemon, which then cannot say what else the words would change.
Result<std::string> remount(const Config& asked);

// Those of `asked` that a daemon must be told of, where `given` is what it was mounted with.
// kInvalid: one of them cannot change while it serves.
Result<std::vector<MountOption>> words_to_change(const std::vector<MountOption>& given,
                                                 const std::vector<MountOption>& asked);

// `current`, changed by such words; log_level only if they name it. kInvalid: together they make no
// sense, or one of them cannot change.
Result<Config> remounted(const Config& current, const std::vector<MountOption>& words);

// Words as one line of ASCII that split_options() takes apart again.
std::string line_of(const std::vector<MountOption>& words);

}  // namespace sftpfs::app
