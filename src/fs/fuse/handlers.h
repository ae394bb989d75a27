// handlers: the rooms of dispatch.h, one for each kind of request. Each handler on_x() starts the
// coroutine do_x(), which asks fs::Filesystem and replies.
//
// Ownership: as in dispatch.h.
// Threads:   as in dispatch.h.
// Limits:    what libfuse passes by pointer is valid until the handler returns: it is copied.
#pragma once

#include <memory>

#include "fs/fuse/channel.h"
#include "fs/fuse/fuse_api.h"
#include "fs/fuse/operation.h"
#include "runtime/task.h"

namespace sftpfs::fuse {

inline OperationRef begin(fuse_req_t request) {
  return std::make_unique<Operation>(request, *Channel::current());
}

// Each enters its handlers into the table.
void add_name_handlers(fuse_lowlevel_ops& ops);
void add_attribute_handlers(fuse_lowlevel_ops& ops);
void add_file_handlers(fuse_lowlevel_ops& ops);
void add_directory_handlers(fuse_lowlevel_ops& ops);

}  // namespace sftpfs::fuse
