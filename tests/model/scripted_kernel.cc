// See scripted_kernel.h.
#include "model/scripted_kernel.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fs/fuse/dispatch.h"

namespace sftpfs::model {
namespace {

constexpr std::size_t kReplyMax = 64 << 10;
// A reply that does not come would otherwise hang the test.
constexpr timeval kPatience{60, 0};

}  // namespace

ScriptedKernel::ScriptedKernel(World& world) : world_(world) {
  std::array<int, 2> ends{};
  // Keeps requests and replies apart, as the device does.
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
  end_.reset(ends[0]);
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  start_session(ends[1]);
  fs::Worker& worker = *world.shared().pool.workers()[0];
  channel_ = std::make_unique<fuse::Channel>(
      worker, world.fs(), session_.get(), [] {}, [] {});
  EXPECT_TRUE(world.call(0, [this] { return channel_->open(); }));
  fuse_init_in hello{};
  hello.major = FUSE_KERNEL_VERSION;
  hello.minor = FUSE_KERNEL_MINOR_VERSION;
  hello.flags = FUSE_DO_READDIRPLUS;
  EXPECT_EQ(ask(FUSE_INIT, 0, bytes_of_struct(hello)).error, 0);
}

void ScriptedKernel::start_session(int fd) {
  // By name: libfuse 3.17 has one more than 3.14.
  fuse_custom_io io{};
  io.writev = write_reply;
  io.read = read_request;
  std::string name = "test";
  std::array<char*, 2> words{name.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words.data());
  const fuse_lowlevel_ops operations = fuse::make_operations(true);
  session_.reset(fuse_session_new(&arguments, &operations, sizeof(operations), this));
  fuse_opt_free_args(&arguments);
  EXPECT_EQ(fuse_session_custom_io(session_.get(), &io, fd), 0);
}

ScriptedKernel::~ScriptedKernel() = default;

ssize_t ScriptedKernel::read_request(int fd, void* buffer, std::size_t size_bytes, void* kernel) {
  static_cast<void>(kernel);
  return ::recv(fd, buffer, size_bytes, MSG_DONTWAIT);
}

ssize_t ScriptedKernel::write_reply(int fd, iovec* pieces, int count, void* kernel) {
  const bool refused = static_cast<ScriptedKernel*>(kernel)->refuses_.exchange(false);
  const ssize_t sent = ::writev(fd, pieces, count);
  if (!refused) return sent;
  errno = ENOENT;
  return -1;
}

KernelReply ScriptedKernel::ask(std::uint32_t opcode, std::uint64_t inode, std::string_view body) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
  header.opcode = opcode;
  header.unique = ++asked_;
  header.nodeid = inode;
  std::string request(bytes_of_struct(header));
  request += body;
  EXPECT_EQ(::send(end_.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string answer(kReplyMax, '\0');
  const ssize_t size = ::recv(end_.get(), answer.data(), answer.size(), 0);
  KernelReply reply;
  if (size < static_cast<ssize_t>(sizeof(fuse_out_header))) {
    ADD_FAILURE() << "no reply to opcode " << opcode;
    reply.error = ETIMEDOUT;
    return reply;
  }
  fuse_out_header status{};
  answer.copy(reinterpret_cast<char*>(&status), sizeof(status));
  EXPECT_EQ(status.unique, asked_);
  reply.error = -status.error;
  reply.body = answer.substr(sizeof(status), static_cast<std::size_t>(size) - sizeof(status));
  return reply;
}

KernelReply ScriptedKernel::ask_and_refuse(std::uint32_t opcode, std::uint64_t inode,
                                           std::string_view body) {
  refuses_ = true;
  KernelReply reply = ask(opcode, inode, body);
  EXPECT_FALSE(refuses_);
  return reply;
}

namespace {

runtime::Task<bool> end_operations(fuse::Channel& channel) {
  channel.close();
  co_await channel.abandon_operations();
  co_return true;
}

}  // namespace

std::future<bool> ScriptedKernel::shut_down() { return world_.start(0, end_operations(*channel_)); }

}  // namespace sftpfs::model
