// dispatch: from libfuse's callbacks to the coroutines of fs::Filesystem and back to replies.
//
// Ownership: none; the table is a plain value.
// Threads:   a callback runs on the worker that read the request, starts one coroutine and returns.
// Limits:    only on a thread that is processing a request of a Channel.
#pragma once

#include "fs/fuse/fuse_api.h"

namespace sftpfs::fuse {

// The table for fuse_session_new(). `init` is called on the worker that reads FUSE_INIT. Locks are
// the kernel's own, local ones, or there are none (ENOLCK).
fuse_lowlevel_ops make_operations(bool local_locks);

}  // namespace sftpfs::fuse
