// See device_io.h.
#include "fs/fuse/device_io.h"

#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "fs/fuse/channel.h"
#include "fs/fuse/fuse_api.h"

namespace sftpfs::fuse {
namespace {

ssize_t read_request(int fd, void* buffer, std::size_t size_bytes, void* userdata) {
  static_cast<void>(userdata);
  return ::read(fd, buffer, size_bytes);
}

ssize_t write_reply(int fd, iovec* reply, int count, void* userdata) {
  static_cast<void>(userdata);
  const Channel* channel = Channel::current();
  if (channel != nullptr && channel->current_request().opcode == FUSE_INIT) {
    allow_parallel_directory_operations(reply, count);
  }
  return ::writev(fd, reply, count);
}

}  // namespace

Status install_device_io(fuse_session* session) {
  fuse_custom_io io{};
  io.read = read_request;
  io.writev = write_reply;
  const int rc = fuse_session_custom_io(session, &io, fuse_session_fd(session));
  if (rc != 0) return fail(Error::system(-rc, "FUSE device"));
  return {};
}

void allow_parallel_directory_operations(const iovec* reply, int count) {
  constexpr std::size_t kEndOfFlags = offsetof(fuse_init_out, flags) + sizeof(fuse_init_out::flags);
  // A refusal has no body.
  if (count < 2 || reply[1].iov_len < kEndOfFlags) return;
  fuse_init_out body{};
  std::memcpy(&body, reply[1].iov_base, kEndOfFlags);
  body.flags |= FUSE_PARALLEL_DIROPS;
  std::memcpy(reply[1].iov_base, &body, kEndOfFlags);
}

}  // namespace sftpfs::fuse
