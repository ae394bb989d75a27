// ScriptedKernel: the kernel's end of a FUSE connection, played by a test, so that replies can be
// refused. A socket stands in for /dev/fuse; libfuse, the channel and the operations are real.
//
// Ownership: borrows the World; owns the FUSE session and a channel of its first worker. The test
//            ends with shut_down().
// Threads:   the test's thread; the worker replies.
// Limits:    one request at a time; answers of at most 64 KiB.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "fs/fuse/channel.h"
#include "fs/fuse/fuse_api.h"
#include "model/world.h"

namespace sftpfs::model {

struct KernelReply {
  int error = 0;  // an errno value
  std::string body;

  template <class T>
  T as() const {
    T value{};
    body.copy(reinterpret_cast<char*>(&value), sizeof(value));
    return value;
  }
};

class ScriptedKernel {
 public:
  explicit ScriptedKernel(World& world);
  ~ScriptedKernel();
  ScriptedKernel(const ScriptedKernel&) = delete;
  ScriptedKernel& operator=(const ScriptedKernel&) = delete;

  // Sends a request and waits for the reply to it. `body`: the structure of the opcode, names.
  KernelReply ask(std::uint32_t opcode, std::uint64_t inode, std::string_view body);
  // The same, but the reply is not taken: libfuse is told ENOENT.
  KernelReply ask_and_refuse(std::uint32_t opcode, std::uint64_t inode, std::string_view body);

  fuse::Channel& channel() { return *channel_; }
  // What unmounting does: reads no more requests; ready when nothing is under way.
  std::future<bool> shut_down();

 private:
  struct SessionDeleter {
    void operator()(fuse_session* session) const { fuse_session_destroy(session); }
  };
  static ssize_t read_request(int fd, void* buffer, std::size_t size_bytes, void* kernel);
  static ssize_t write_reply(int fd, iovec* pieces, int count, void* kernel);
  void start_session(int fd);

  World& world_;
  UniqueFd end_;  // ours of the socket
  std::unique_ptr<fuse_session, SessionDeleter> session_;
  std::unique_ptr<fuse::Channel> channel_;
  std::uint64_t asked_ = 0;
  std::atomic<bool> refuses_{false};
};

template <class T>
std::string_view bytes_of_struct(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace sftpfs::model
