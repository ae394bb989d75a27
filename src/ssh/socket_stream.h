// SocketStream: a ByteStream over a connected stream socket, whatever is at its other end.
//
// Ownership: owns the socket. Destroying it waits for nobody.
// Threads:   one until attach(), then the loop's.
// Limits:    output is bounded by the socket's send buffer (about 200 KiB).
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "ssh/fd_watch.h"

namespace sftpfs::ssh {

class SocketStream : public runtime::ByteStream, private runtime::IoHandler {
 public:
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override;
  Result<std::size_t> read(std::span<const iovec> into) override;
  Result<std::size_t> write(std::span<const iovec> from) override;
  bool output_pending() const override;
  std::uint64_t bytes_delivered() const override;
  // Child processes and kernels size their own.
  void set_receive_window(std::size_t /*bytes*/) override {}
  const std::string& description() const override { return description_; }

 protected:
  // `socket` is non-blocking.
  SocketStream(UniqueFd socket, std::string description);
  // Why the stream has ended; `socket_errno` is 0 at its end. Asked once.
  virtual Error ending(int socket_errno) = 0;
  // Whether the other end has ever sent anything.
  bool has_received() const { return received_; }

 private:
  void on_io(std::uint32_t events) override;
  void update_interest();
  void fail_with(Error error);

  UniqueFd socket_;
  std::string description_;
  runtime::ByteStreamEvents* events_ = nullptr;
  std::optional<FdWatch> watch_;
  bool received_ = false;
  bool reader_stopped_ = false;  // it was told, and no read() has come back short since
  bool watched_in_ = true;
  bool writer_waits_ = false;
  std::uint64_t bytes_sent_ = 0;
  mutable std::uint64_t bytes_delivered_ = 0;
  std::optional<Error> failure_;  // final
};

}  // namespace sftpfs::ssh
