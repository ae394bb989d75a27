// How libfuse reads the kernel's requests and writes the replies: as it would do by itself, but for
// the reply to FUSE_INIT. Before 3.17, libfuse lets a file system want FUSE_CAP_PARALLEL_DIROPS and
// does not pass it on; the kernel then sends the lookups in a directory one after the other, and
// each waits for a round trip.
//
// Threads: any; keeps nothing.
#pragma once

#include "base/error.h"

struct fuse_session;
struct iovec;

namespace sftpfs::fuse {

// Takes over the reading and writing of a session that is mounted, before anything is read.
Status install_device_io(fuse_session* session);

// `reply`: header and body of the reply to FUSE_INIT, which is changed in place.
void allow_parallel_directory_operations(const iovec* reply, int count);

}  // namespace sftpfs::fuse
