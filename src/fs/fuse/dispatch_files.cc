// See handlers.h: open files.
#include <string>
#include <utility>

#include "fs/fuse/handlers.h"

namespace sftpfs::fuse {
namespace {

using fs::Attempt;
using runtime::Task;

Task<void> do_open(OperationRef op, fuse_ino_t inode, int flags) {
  const Result<fs::OpenReply> open = co_await op->filesystem().open(op->context(), inode, flags);
  op->reply_open(open, Attempt::kOpen);
}
void on_open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  runtime::spawn(do_open(begin(request), inode, info->flags));
}

Task<void> do_create(OperationRef op, fuse_ino_t parent, std::string name, mode_t mode, int flags) {
  const Result<fs::CreateReply> create =
      co_await op->filesystem().create(op->context(), parent, std::move(name), mode, flags);
  op->reply_create(create, Attempt::kCreate);
}
void on_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* info) {
  runtime::spawn(do_create(begin(request), parent, name, mode, info->flags));
}

Task<void> do_read(OperationRef op, std::uint64_t handle, std::uint64_t offset,
                   std::size_t size_bytes) {
  const Result<fs::ReadReply> read =
      co_await op->filesystem().read(op->context(), handle, offset, size_bytes);
  op->reply_read(read);
}
void on_read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
             fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_read(begin(request), info->fh, static_cast<std::uint64_t>(offset), size));
}

Task<void> do_write(OperationRef op, std::uint64_t handle, std::uint64_t offset, SharedBytes data) {
  const Result<std::size_t> written =
      co_await op->filesystem().write(op->context(), handle, offset, std::move(data));
  op->reply_written(written);
}
void on_write(fuse_req_t request, fuse_ino_t inode, const char* data, std::size_t size,
              off_t offset, fuse_file_info* info) {
  static_cast<void>(inode);
  // The bytes are libfuse's until this callback returns; the copy is the one that is kept until
  // the server has acknowledged it.
  SharedBytes copy = SharedBytes::copy_of(as_byte_span(std::string_view(data, size)));
  runtime::spawn(
      do_write(begin(request), info->fh, static_cast<std::uint64_t>(offset), std::move(copy)));
}

Task<void> do_flush(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().flush(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_flush(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_flush(begin(request), info->fh));
}

Task<void> do_fsync(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().fsync(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_fsync(fuse_req_t request, fuse_ino_t inode, int data_only, fuse_file_info* info) {
  static_cast<void>(inode);
  static_cast<void>(data_only);
  runtime::spawn(do_fsync(begin(request), info->fh));
}

Task<void> do_release(OperationRef op, std::uint64_t handle) {
  const Status status = co_await op->filesystem().release(op->context(), handle);
  op->reply_status(status, Attempt::kWrite);
}
void on_release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  static_cast<void>(inode);
  runtime::spawn(do_release(begin(request), info->fh));
}

Task<void> do_lseek(OperationRef op, fuse_ino_t inode, std::uint64_t offset, int whence) {
  const Result<std::uint64_t> found =
      co_await op->filesystem().lseek(op->context(), inode, offset, whence);
  op->reply_lseek(found);
}
void on_lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
              fuse_file_info* info) {
  static_cast<void>(info);
  runtime::spawn(do_lseek(begin(request), inode, static_cast<std::uint64_t>(offset), whence));
}

struct CopyRange {
  std::uint64_t from = 0;
  std::uint64_t from_offset = 0;
  std::uint64_t to = 0;
  std::uint64_t to_offset = 0;
  std::size_t size_bytes = 0;
};
Task<void> do_copy(OperationRef op, CopyRange range) {
  const Result<std::size_t> copied = co_await op->filesystem().copy_file_range(
      op->context(), range.from, range.from_offset, range.to, range.to_offset, range.size_bytes);
  op->reply_written(copied);
}
void on_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
                        fuse_file_info* from_info, fuse_ino_t to, off_t to_offset,
                        fuse_file_info* to_info, std::size_t size, int flags) {
  static_cast<void>(from);
  static_cast<void>(to);
  static_cast<void>(flags);
  CopyRange range;
  range.from = from_info->fh;
  range.from_offset = static_cast<std::uint64_t>(from_offset);
  range.to = to_info->fh;
  range.to_offset = static_cast<std::uint64_t>(to_offset);
  range.size_bytes = size;
  runtime::spawn(do_copy(begin(request), range));
}

}  // namespace

void add_file_handlers(fuse_lowlevel_ops& ops) {
  ops.open = on_open;
  ops.create = on_create;
  ops.read = on_read;
  ops.write = on_write;
  ops.flush = on_flush;
  ops.fsync = on_fsync;
  ops.release = on_release;
  ops.lseek = on_lseek;
  ops.copy_file_range = on_copy_file_range;
}

}  // namespace sftpfs::fuse
