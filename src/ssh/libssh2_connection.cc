// See libssh2_connection.h.
#include "ssh/libssh2_connection.h"

#include <fmt/core.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "ssh/libssh2_stream.h"

namespace sftpfs::ssh {

Libssh2Connection::Libssh2Connection(std::unique_ptr<Libssh2Session> session,
                                     std::string sftp_server)
    : session_(std::move(session)), sftp_server_(std::move(sftp_server)) {}

Libssh2Connection::~Libssh2Connection() {
  if (loop_ != nullptr) loop_->forget_turn_end(*this);
}

Status Libssh2Connection::attach(runtime::Loop& loop) {
  if (loop_ != nullptr) return {};
  loop_ = &loop;
  watch_.emplace(loop, session_->fd(), static_cast<runtime::IoHandler&>(*this));
  if (Status watched = watch_->want(EPOLLIN); !watched) return watched;
  if (session_->proxy() != nullptr) session_->proxy()->errors().attach(loop);
  return {};
}

void Libssh2Connection::leave(const Libssh2Stream& stream, LIBSSH2_CHANNEL* channel) {
  const auto place = std::find(streams_.begin(), streams_.end(), &stream);
  if (telling_ == SIZE_MAX) {
    streams_.erase(place);
  } else {
    *place = nullptr;
  }
  const bool last = std::all_of(streams_.begin(), streams_.end(),
                                [](const Libssh2Stream* each) { return each == nullptr; });
  if (last) {
    watch_.reset();
    input_taken_.notify_all();  // nobody will be served any more
    return;
  }
  closing_.push_back(channel);
  pump_at_turn_end();
}

void Libssh2Connection::stream_failed() {
  bool any_left = false;
  for (Libssh2Stream* stream : streams_) {
    if (stream == nullptr || stream->failed()) continue;
    any_left = true;
    // It may be the connection that has ended, of which nobody will tell them either.
    stream->notify_readable();
  }
  if (!any_left) watch_.reset();
}

// --- Input --------------------------------------------------------------------------------------

// Level-triggered: what is not taken now is reported again, so one recv() per event is enough.
void Libssh2Connection::on_io(std::uint32_t events) {
  const std::shared_ptr<Libssh2Connection> self = shared_from_this();
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return pump();
  session_->fill();
  // A window that opened, or an answer to a key exchange, may let output go on.
  pump_at_turn_end();
  input_taken_.notify_all();
  for (telling_ = 0; telling_ < streams_.size(); ++telling_) {
    // Whoever is told may destroy itself and others.
    if (streams_[telling_] != nullptr) streams_[telling_]->input_has_come();
  }
  telling_ = SIZE_MAX;
  std::erase(streams_, nullptr);
}

void Libssh2Connection::input_was_taken(const Libssh2Stream* taker) {
  input_taken_.notify_all();
  const std::size_t first_told = telling_ == SIZE_MAX ? streams_.size() : telling_ + 1;
  // Those behind the one that is being told have their turn anyway.
  for (std::size_t i = 0; i < std::min(first_told, streams_.size()); ++i) {
    if (streams_[i] != nullptr && streams_[i] != taker) streams_[i]->notify_readable();
  }
}

// --- Output -------------------------------------------------------------------------------------

void Libssh2Connection::on_turn_end() { pump(); }

void Libssh2Connection::pump() {
  const std::uint64_t taken_before = session_->input_taken();
  close_channels();
  for (Libssh2Stream* stream : streams_) {
    if (stream != nullptr) stream->pump();
  }
  session_->flush();
  // Sending reads too, and what it has read will wake nobody.
  if (session_->input_taken() != taken_before) input_was_taken(nullptr);
  for (Libssh2Stream* stream : streams_) {
    if (stream != nullptr) stream->output_has_gone();
  }
  update_interest();
}

void Libssh2Connection::close_channels() {
  std::erase_if(closing_, [this](LIBSSH2_CHANNEL* each) { return session_->try_close(each); });
}

void Libssh2Connection::update_interest() {
  if (!watch_) return;
  // With the input queue full the readers have stopped; the kernel's buffer, and then the window,
  // make the server stop too. At the end of the stream there is nothing left to be told.
  const bool deaf = session_->ended() || session_->input_full();
  const std::uint32_t in = deaf ? 0U : EPOLLIN;
  const std::uint32_t out = session_->output_size() > 0 && !session_->ended() ? EPOLLOUT : 0U;
  if (Status watched = watch_->want(in | out); !watched) fail_streams(watched.error());
}

void Libssh2Connection::fail_streams(const Error& why) {
  for (Libssh2Stream* stream : streams_) {
    if (stream != nullptr) stream->fail_with(why);
  }
}

// --- Opening ------------------------------------------------------------------------------------

template <class Step>
runtime::Task<Result<long>> Libssh2Connection::drive(Step step, runtime::Cancel* cancel) {
  while (true) {
    const bool over = !watch_ || session_->ended();
    if (over) co_return fail(session_->failure(LIBSSH2_ERROR_SOCKET_DISCONNECT));
    const std::uint64_t taken_before = session_->input_taken();
    const long rc = step();
    pump_at_turn_end();
    const bool took = session_->input_taken() != taken_before;
    if (took) input_was_taken(nullptr);
    if (rc != LIBSSH2_ERROR_EAGAIN) co_return rc;
    if (took) continue;
    const bool notified = co_await input_taken_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
}

// An opening that was cancelled half-way is gone on with by the next.
runtime::Task<Result<LIBSSH2_CHANNEL*>> Libssh2Connection::open_channel(runtime::Cancel* cancel) {
  auto turn = co_await opening_.lock(cancel);
  if (!turn) co_return fail(turn.error());
  LIBSSH2_CHANNEL* channel = nullptr;
  const auto open = [this, &channel] { return session_->try_open(channel); };
  const Result<long> opened = co_await drive(open, cancel);
  if (!opened) co_return fail(opened.error());
  if (*opened != 0) co_return fail(refusal(*opened));
  co_return channel;
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> Libssh2Connection::open_stream(
    std::shared_ptr<Libssh2Connection> self, runtime::Cancel* cancel) {
  const Result<LIBSSH2_CHANNEL*> channel = co_await self->open_channel(cancel);
  if (!channel) co_return fail(channel.error());
  const auto start = [&self, &channel] {
    return self->session_->try_start(*channel, self->sftp_server_);
  };
  const Result<long> started = co_await self->drive(start, cancel);
  const bool serves = started && *started == 0;
  if (serves) {
    std::unique_ptr<runtime::ByteStream> stream = std::make_unique<Libssh2Stream>(self, *channel);
    co_return std::move(stream);
  }
  self->closing_.push_back(*channel);
  if (!started) co_return fail(started.error());
  co_return fail(self->refusal(*started));
}

Error Libssh2Connection::refusal(long libssh2_rc) const {
  const bool refused = libssh2_rc == LIBSSH2_ERROR_CHANNEL_FAILURE ||
                       libssh2_rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED;
  if (!refused) return session_->failure(libssh2_rc);
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("{}: the server refuses a further channel (MaxSessions)", session_->peer()));
}

}  // namespace sftpfs::ssh
