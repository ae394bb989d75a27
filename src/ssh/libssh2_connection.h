// Libssh2Connection: what the streams of one SSH connection share: the socket, the session, and
// the turns in which input is taken and output sent.
//
//                    +-- Libssh2Stream (the first channel)
//   socket -- session+-- Libssh2Stream (a sibling)
//                    +-- ...
//
// libssh2 decrypts whatever has come as soon as any channel is read, and keeps what is for others.
// So whoever has made it take input tells the others, because the socket will not.
//
// Ownership: shared by its streams, and by an open_stream() under way.
// Threads:   one until attach(), then the loop's.
// Limits:    at most about 256 KiB of encrypted output waits here, of all streams together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "runtime/wait_list.h"
#include "ssh/fd_watch.h"
#include "ssh/libssh2_session.h"

namespace sftpfs::ssh {

class Libssh2Stream;

class Libssh2Connection final : public std::enable_shared_from_this<Libssh2Connection>,
                                private runtime::IoHandler,
                                private runtime::TurnEndHandler {
 public:
  static constexpr std::size_t kOutputBytesMax = 256 * 1024;

  // `session` is authenticated; `sftp_server` is what its channels run.
  Libssh2Connection(std::unique_ptr<Libssh2Session> session, std::string sftp_server);
  ~Libssh2Connection();
  Libssh2Connection(const Libssh2Connection&) = delete;
  Libssh2Connection& operator=(const Libssh2Connection&) = delete;

  // Of the first stream; the others come later.
  Status attach(runtime::Loop& loop);
  runtime::Loop* loop() const { return loop_; }
  Libssh2Session& session() const { return *session_; }

  void join(Libssh2Stream& stream) { streams_.push_back(&stream); }
  // The stream dies. Its channel is closed, without waiting for the server.
  void leave(const Libssh2Stream& stream, LIBSSH2_CHANNEL* channel);
  // One of them has failed, maybe with the whole connection.
  void stream_failed();

  // A further channel. The failures are ByteStream::open_sibling()'s.
  static runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_stream(
      std::shared_ptr<Libssh2Connection> self, runtime::Cancel* cancel);

  // Moves the output of all streams on at the end of the turn.
  void pump_at_turn_end() { loop_->at_turn_end(*this); }
  // Input was taken on behalf of `taker`.
  void input_was_taken(const Libssh2Stream* taker);
  void update_interest();

 private:
  void on_io(std::uint32_t events) override;
  void on_turn_end() override;
  void pump();
  void close_channels();
  void fail_streams(const Error& why);
  // Repeats `step`, a call of libssh2, until it says something else than "again".
  template <class Step>
  runtime::Task<Result<long>> drive(Step step, runtime::Cancel* cancel);
  runtime::Task<Result<LIBSSH2_CHANNEL*>> open_channel(runtime::Cancel* cancel);
  Error refusal(long libssh2_rc) const;

  std::unique_ptr<Libssh2Session> session_;
  const std::string sftp_server_;
  runtime::Loop* loop_ = nullptr;
  std::optional<FdWatch> watch_;
  std::vector<Libssh2Stream*> streams_;  // null: left while they are being told of input
  std::size_t telling_ = SIZE_MAX;       // which of them is being told
  std::vector<LIBSSH2_CHANNEL*> closing_;

  runtime::AsyncMutex opening_;  // libssh2 opens one channel at a time
  runtime::WaitList input_taken_;
};

}  // namespace sftpfs::ssh
