// From -o words to a Config: each word meets its row of the option table.
//
// Threads: pure, but for names of users and groups.
#pragma once

#include <string_view>
#include <vector>

#include "app/option_list.h"
#include "app/option_table.h"
#include "base/error.h"

namespace sftpfs::app {

// In order, so that the last of several wins. An unknown word is an error, or a warning when
// `sloppy`. The messages never quote values of unknown words: one may be a password.
Status apply_options(const std::vector<MountOption>& options, bool sloppy, ParsedOptions& into);

}  // namespace sftpfs::app
