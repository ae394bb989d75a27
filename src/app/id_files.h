// uidfile= and gidfile=: which of the server's numbers belong to which name here.
//
//   name:1004               or a copy of the server's passwd or group file: name:x:1004:...
//
// Threads: any; reads the user database.
// Limits:  a megabyte. Names that are not known here are left out: nobody could be shown for them.
#pragma once

#include "app/config.h"
#include "base/error.h"
#include "fs/id_map.h"

namespace sftpfs::app {

// What idmap=, uidfile=, gidfile= and nomap= say together. A file that somebody else could have
// written is refused.
Result<fs::IdRules> id_rules(const Config& config);

}  // namespace sftpfs::app
