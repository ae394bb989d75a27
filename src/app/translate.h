// From what the user said (Config) to what ssh/ and fs/ want.
// Threads: pure functions.
#pragma once

#include "app/config.h"
#include "base/error.h"
#include "fs/options.h"
#include "ssh/options.h"

namespace sftpfs::app {

Result<ssh::Options> ssh_options(const Config& config);
// What ssh_config(5) has added to it, for the layers that do not see it.
Status take_settled(const ssh::Options& settled, Config& config);
fs::Options fs_options(const Config& config, unsigned cores);

}  // namespace sftpfs::app
