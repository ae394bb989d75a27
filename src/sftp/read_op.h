// ReadOp: one read() of a client, made of as many READ requests as it takes.
//
// Ownership: its requests share it; it ends with the last of them.
// Threads:   the client's loop only.
// Limits:    a range at which the server reported the end of the file although it sent data from
//            behind it is asked for once more, then the read ends there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "sftp/call.h"
#include "sftp/engine.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

struct ReadArgs {
  Handle handle;
  std::uint64_t offset = 0;
  MutableByteSpan into;
  std::uint64_t known_size = 0;
  Queue queue = Queue::kMetadata;
};

class ReadOp final : public std::enable_shared_from_this<ReadOp> {
 public:
  static Call<std::size_t> start(Engine& engine, ReadArgs args);

  ReadOp(Engine& engine, ReadArgs args, std::shared_ptr<CallState<std::size_t>> state);

 private:
  // Relative to `offset`.
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool repeated = false;  // has been asked for again
    std::size_t size() const { return end - begin; }
  };
  class Part;

  Status begin();
  void ask_ahead();
  void ask(const Range& range);
  void on_data(const Range& range, std::size_t bytes);
  void on_status(const Range& range, const Reply& reply);
  void on_lost(const Error& why);
  MutableByteSpan destination(const Range& range, std::size_t position) const;
  void note_error(const Range& range, Error error);
  void settle();
  bool repeat_hole();

  Engine& engine_;
  ReadArgs args_;
  std::shared_ptr<CallState<std::size_t>> state_;
  std::size_t part_bytes_max_;
  std::size_t known_end_;        // where the caller believes the file to end
  std::size_t asked_end_ = 0;    // everything before has been asked for
  std::size_t data_end_ = 0;     // behind the last byte that has come
  std::size_t outstanding_ = 0;  // requests
  std::vector<Range> missing_;   // where the server said: end of file
  std::optional<Error> error_;   // that of the lowest offset
  std::size_t error_at_ = 0;
};

}  // namespace sftpfs::sftp
