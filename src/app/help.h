// The texts of -h and -V. The options come from the option table.
#pragma once

#include <string>

namespace sftpfs::app {

std::string help_text();
std::string version_text();
// What somebody sees who gave no arguments at all.
std::string usage_text();

}  // namespace sftpfs::app
