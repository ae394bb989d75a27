// ProcessStream: a child process's standard input and output as a byte stream, over a socket pair.
//
// Ownership: owns the child and ends it.
// Threads:   one loop's thread.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "runtime/byte_stream.h"
#include "runtime/loop.h"

namespace sftpfs::test {

class ProcessStream final : public runtime::ByteStream, private runtime::IoHandler {
 public:
  // Starts `program` without arguments; null when that fails.
  static std::unique_ptr<ProcessStream> start(const std::string& program) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return nullptr;
    UniqueFd ours(fds[0]);
    UniqueFd theirs(fds[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    std::string name = program;
    std::array<char*, 2> argv = {name.data(), nullptr};
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return nullptr;
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    return std::make_unique<ProcessStream>(std::move(ours), pid);
  }

  ProcessStream(UniqueFd fd, pid_t pid) : fd_(std::move(fd)), pid_(pid) {}
  ~ProcessStream() override {
    if (loop_ != nullptr) loop_->remove_fd(fd_.get(), *this);
    fd_.reset();
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override {
    loop_ = &loop;
    events_ = &events;
    return loop.add_fd(fd_.get(), EPOLLIN, *this);
  }
  Result<std::size_t> read(std::span<const iovec> into) override {
    const ssize_t got = ::readv(fd_.get(), into.data(), static_cast<int>(into.size()));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got < 0 && errno == EAGAIN) return std::size_t{0};
    return fail(ErrorCode::kConnectionLost, got == 0 ? "the server ended" : "read failed");
  }
  Result<std::size_t> write(std::span<const iovec> from) override {
    const ssize_t put = ::writev(fd_.get(), from.data(), static_cast<int>(from.size()));
    if (put < 0 && errno != EAGAIN) return fail(ErrorCode::kConnectionLost, "write failed");
    std::size_t wanted = 0;
    for (const iovec& part : from) wanted += part.iov_len;
    const std::size_t taken = put < 0 ? 0 : static_cast<std::size_t>(put);
    if (taken < wanted) {
      const Status armed = loop_->modify_fd(fd_.get(), EPOLLIN | EPOLLOUT, *this);
      if (!armed) return fail(armed.error());
    }
    return taken;
  }
  bool output_pending() const override { return false; }
  void set_receive_window(std::size_t) override {}
  const std::string& description() const override { return description_; }

 private:
  void on_io(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0) {
      (void)loop_->modify_fd(fd_.get(), EPOLLIN, *this);
      events_->on_writable();
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) events_->on_readable();
  }

  UniqueFd fd_;
  pid_t pid_;
  runtime::Loop* loop_ = nullptr;
  runtime::ByteStreamEvents* events_ = nullptr;
  std::string description_ = "local sftp-server";
};

}  // namespace sftpfs::test
