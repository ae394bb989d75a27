// See handlers.h: open directories.
#include "fs/fuse/directory_buffer.h"
#include "fs/fuse/handlers.h"

namespace sftpfs::fuse {
namespace {

using fs::Attempt;
using runtime::Task;

Task<void> do_opendir(OperationRef op, fuse_ino_t inode) {
  const Result<fs::OpenReply> open = co_await op->filesystem().opendir(op->context(), inode);
  op->reply_opendir(open);
}
void on_opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(info);
  runtime::spawn(do_opendir(begin(request), inode));
}

Task<void> do_readdir(OperationRef op, std::uint64_t handle, std::uint64_t offset,
                      std::size_t size_bytes, bool plus) {
  DirectoryBuffer buffer(op->request(), size_bytes, plus);
  const Status status =
      co_await op->filesystem().readdir(op->context(), handle, offset, plus, buffer);
  // What was found before an error is delivered; the error comes with the next call.
  if (!status && buffer.size() == 0) {
    op->reply_error(status.error(), Attempt::kRead);
  } else {
    op->reply_directory(buffer);
  }
}
void on_readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(
      do_readdir(begin(request), info->fh, static_cast<std::uint64_t>(offset), size, false));
}
void on_readdirplus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(
      do_readdir(begin(request), info->fh, static_cast<std::uint64_t>(offset), size, true));
}

Task<void> do_releasedir(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().releasedir(op->context(), handle);
  op->reply_status(status, Attempt::kRead);
}
void on_releasedir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_releasedir(begin(request), info->fh));
}

// Names are on the server when their operation returns, but for durability=fsync.
Task<void> do_fsyncdir(OperationRef op, fuse_ino_t inode) {
  const Status status = co_await op->filesystem().fsyncdir(op->context(), inode);
  op->reply_status(status, Attempt::kWrite);
}
void on_fsyncdir(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info) {
  static_cast<void>(data_only);
  static_cast<void>(info);
  runtime::spawn(do_fsyncdir(begin(request), inode));
}

}  // namespace

void add_directory_handlers(fuse_lowlevel_ops& ops) {
  ops.opendir = on_opendir;
  ops.readdir = on_readdir;
  ops.readdirplus = on_readdirplus;
  ops.releasedir = on_releasedir;
  ops.fsyncdir = on_fsyncdir;
}

}  // namespace sftpfs::fuse
