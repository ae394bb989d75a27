// WriteOp: one write() of a client, made of as many WRITE requests as the server's limit takes.
//
// Ownership: its requests share it, and with it the data, until the last is acknowledged.
// Threads:   the client's loop only.
// Limits:    after an error the other parts still run; the first error is reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "sftp/call.h"
#include "sftp/engine.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

class WriteOp final : public std::enable_shared_from_this<WriteOp> {
 public:
  static Call<void> start(Engine& engine, const Handle& handle, std::uint64_t offset,
                          SharedBytes data);

  WriteOp(SharedBytes data, std::shared_ptr<CallState<void>> state);

 private:
  class Part;

  void send(Engine& engine, const Handle& handle, std::uint64_t offset);
  void part_done(Status outcome);

  SharedBytes data_;
  std::shared_ptr<CallState<void>> state_;
  std::size_t outstanding_ = 0;
  std::optional<Error> error_;
};

}  // namespace sftpfs::sftp
