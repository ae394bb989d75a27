// convert: replies of fs::Filesystem in the types of libfuse.
//
// Ownership: plain values.
// Threads:   any.
// Limits:    none.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fs/fuse/fuse_api.h"
#include "fs/types.h"

namespace sftpfs::fuse {

struct stat to_stat(const fs::FileAttr& attr);
struct statvfs to_statvfs(const fs::StatFsReply& space);
fuse_entry_param to_entry_param(const fs::EntryReply& entry);
fuse_file_info to_file_info(const fs::OpenReply& open);

}  // namespace sftpfs::fuse
