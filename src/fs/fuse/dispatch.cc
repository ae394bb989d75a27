// See dispatch.h.
#include "fs/fuse/dispatch.h"

#include <cerrno>

#include "fs/fuse/channel.h"
#include "fs/fuse/handlers.h"

namespace sftpfs::fuse {
namespace {

constexpr unsigned kLocks = FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;

// What the kernel and we agree on in FUSE_INIT.
void on_init(void* userdata, fuse_conn_info* connection) {
  static_cast<void>(userdata);
  unsigned wanted = FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
                    FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_DIO;
  // Splicing costs more than the copy it saves; the kernel itself drops set-uid bits on write.
  unsigned unwanted = FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                      FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_WRITEBACK_CACHE |
                      FUSE_CAP_EXPORT_SUPPORT | kLocks;
  // Who waits for an asynchronous read sleeps where no caught signal and no freezer reaches him (D
  // state); pipelining is the work of our own readahead.
  const bool async_reads = Channel::current()->filesystem().shared().options.async_reads;
  (async_reads ? wanted : unwanted) |= FUSE_CAP_ASYNC_READ;
  connection->want |= wanted & connection->capable;
  connection->want &= ~unwanted;
  connection->max_write = 1 << 20;
  // Requests in flight before the kernel holds back asynchronous ones: readahead and writeback.
  connection->max_background = 128;
  connection->congestion_threshold = 96;
  connection->time_gran = 1'000'000'000;  // SFTP v3 has whole seconds
}

void on_init_without_locks(void* userdata, fuse_conn_info* connection) {
  on_init(userdata, connection);
  connection->want |= kLocks & connection->capable;
}
void on_getlk(fuse_req_t request, fuse_ino_t, fuse_file_info*, struct flock*) {
  fuse_reply_err(request, ENOLCK);
}
void on_setlk(fuse_req_t request, fuse_ino_t, fuse_file_info*, struct flock*, int) {
  fuse_reply_err(request, ENOLCK);
}
void on_flock(fuse_req_t request, fuse_ino_t, fuse_file_info*, int) {
  fuse_reply_err(request, ENOLCK);
}

}  // namespace

// Left out on purpose, so that the kernel answers as for a local file system without the feature:
// extended attributes, fallocate, ioctl, bmap, poll; locks are the kernel's own, local ones.
fuse_lowlevel_ops make_operations(bool local_locks) {
  fuse_lowlevel_ops ops{};
  ops.init = local_locks ? on_init : on_init_without_locks;
  if (!local_locks) {
    ops.getlk = on_getlk;
    ops.setlk = on_setlk;
    ops.flock = on_flock;
  }
  add_name_handlers(ops);
  add_attribute_handlers(ops);
  add_file_handlers(ops);
  add_directory_handlers(ops);
  return ops;
}

}  // namespace sftpfs::fuse
