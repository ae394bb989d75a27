// dispatch: from libfuse's callbacks to the coroutines of fs::Filesystem and back to replies.
//
// A callback runs on the worker that read the request, starts one coroutine and returns.
#pragma once

#include <sys/stat.h>

#include "fs/fuse/fuse_api.h"
#include "fs/types.h"

namespace sftpfs::fuse {

// The table for fuse_session_new(). `init` is called on the worker that reads FUSE_INIT.
fuse_lowlevel_ops make_operations();

struct stat to_stat(const fs::FileAttr& attr);

}  // namespace sftpfs::fuse
