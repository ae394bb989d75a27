// A word that nobody can guess, by which we know our own children's reports from what a server
// says.
//
// Threads: any.
#pragma once

#include <string>

namespace sftpfs::ssh {

std::string random_word();

}  // namespace sftpfs::ssh
