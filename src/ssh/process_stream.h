// ProcessStream: a ByteStream through a child process: ssh(1), or a local sftp-server.
//
// Ownership: owns the child (child.h). Destroying it waits for nobody.
// Threads:   one until attach(), then the loop's. The child ends with the thread that spawned it.
// Limits:    output is bounded by the socket's send buffer (about 200 KiB). Of standard error the
//            last 4 KiB are kept: they are the text of the error when the stream ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "ssh/child.h"
#include "ssh/child_errors.h"
#include "ssh/fd_watch.h"

namespace sftpfs::ssh {

class ProcessStream final : public runtime::ByteStream, private runtime::IoHandler {
 public:
  using LineWatch = ChildErrors::LineWatch;

  // `peer` names the other end in messages ("user@host"), `kind` what is between ("ssh").
  static Result<std::unique_ptr<ProcessStream>> spawn(const std::vector<std::string>& argv,
                                                      const std::string& peer,
                                                      const std::string& kind,
                                                      LineWatch line_watch = {});
  ~ProcessStream() override;

  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override;
  Result<std::size_t> read(std::span<const iovec> into) override;
  Result<std::size_t> write(std::span<const iovec> from) override;
  bool output_pending() const override;
  std::uint64_t bytes_delivered() const override;
  void set_receive_window(std::size_t /*bytes*/) override {}  // ssh(1) sizes its own
  const std::string& description() const override { return description_; }

  pid_t pid() const { return child_.pid(); }

 private:
  ProcessStream(Child::Started started, const std::string& peer, const std::string& kind,
                LineWatch line_watch);
  void on_io(std::uint32_t events) override;
  void update_interest();
  Error ending(int socket_errno);
  void fail_with(Error error);

  Child child_;
  UniqueFd socket_;
  std::string peer_;
  std::string kind_;
  std::string description_;
  ChildErrors errors_;
  runtime::ByteStreamEvents* events_ = nullptr;
  std::optional<FdWatch> watch_;
  bool reader_stopped_ = false;  // it was told, and no read() has come back short since
  bool watched_in_ = true;
  bool writer_waits_ = false;
  std::uint64_t bytes_sent_ = 0;
  mutable std::uint64_t bytes_delivered_ = 0;
  std::optional<Error> failure_;  // final
};

}  // namespace sftpfs::ssh
