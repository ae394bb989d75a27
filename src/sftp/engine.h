// Engine: what happens inside a Client. It joins the stream, the framer, the request table, the
// send queue and the link estimator; the operations (client.cc, read_op.h, write_op.h,
// readdir_op.h) give it encoded requests and are told the answers.
//
// Ownership: one Client shares it with nobody; what is posted to the loop holds a weak share.
//            It owns the stream and releases it in a turn of its own after the conversation ended
//            (the end may be noticed inside one of the stream's own events).
// Threads:   the loop's thread only.
// Limits:    see Framer and RequestTable. One event reads at most kReceiveBudgetBytes before the
//            rest of the loop has its turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "sftp/call.h"
#include "sftp/client.h"
#include "sftp/decode.h"
#include "sftp/framer.h"
#include "sftp/link_estimator.h"
#include "sftp/request_table.h"
#include "sftp/send_queue.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

class Engine final : public runtime::ByteStreamEvents,
                     public runtime::TurnEndHandler,
                     public PacketSink,
                     public std::enable_shared_from_this<Engine> {
 public:
  static constexpr std::size_t kReceiveBudgetBytes = 4 * 1024 * 1024;

  Engine(runtime::Loop& loop, std::unique_ptr<runtime::ByteStream> stream);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Attaches the stream, sends INIT and yields the server's extensions; once.
  Call<Extensions> begin();
  void set_limits(const Limits& limits) { limits_ = limits; }

  bool alive() const { return !cause_; }
  const Error& cause() const { return *cause_; }
  // What an operation ends with when the conversation is over.
  Error lost_error() const;
  // Ends the conversation; `by_itself` decides whether on_death() is called.
  void die(Error why, bool by_itself);
  void on_death(std::function<void()> callback);

  // Whether `requests` more may be queued.
  Status has_room(std::size_t requests) const;
  // Queues one request. On failure `request.pending` is dropped without being told.
  Status submit(Queue queue, Packet head, Request request, SharedBytes payload = {});
  // Queues one that is answered by one packet; `decode` turns a Reply into a Result<T>.
  template <class T, class Decode>
  Call<T> call(Queue queue, Packet packet, PacketType expected, Decode decode);
  template <class T, class Decode>
  Call<T> call(std::shared_ptr<CallState<T>> state, Queue queue, Packet packet, PacketType expected,
               Decode decode);

  const Limits& limits() const { return limits_; }
  const Extensions& extensions() const { return extensions_; }
  const ClientStats& stats() const { return stats_; }
  LinkEstimate link() const { return estimator_.estimate(); }
  const std::string& description() const { return description_; }
  TimePoint last_heard() const { return last_heard_; }
  bool output_pending() const;
  std::uint64_t bytes_delivered() const { return stream_ ? stream_->bytes_delivered() : 0; }
  void set_receive_window(std::size_t bytes);
  // The stream; only while alive().
  runtime::ByteStream& stream() const { return *stream_; }
  Call<void> drained();

  void on_readable() override;
  void on_writable() override;
  void on_turn_end() override;

  Status on_packet(PacketType type, ByteSpan body) override;
  Status on_data_begin(std::uint32_t id, std::size_t bytes) override;
  MutableByteSpan data_destination(std::size_t position) override;
  Status on_data_end() override;

 private:
  void receive();
  // False: nothing more to read now.
  bool receive_once(std::size_t& budget);
  void stream_ended(const Error& why);
  Status on_version(ByteSpan body);
  // The request with this id, if such an answer may come now.
  Result<Request*> answered(std::uint32_t id, PacketType type);
  Request settle(std::uint32_t id);
  void check_drained();
  void flush();
  void note_sent(std::uint32_t id, TimePoint now);
  void post_after_death();
  void after_death();

  runtime::Loop& loop_;
  std::unique_ptr<runtime::ByteStream> stream_;
  std::string description_;
  Framer framer_;
  RequestTable table_;
  SendQueue queue_;
  LinkEstimator estimator_;

  Limits limits_;
  Extensions extensions_;
  ClientStats stats_;
  TimePoint last_heard_;
  std::uint64_t data_bytes_under_way_ = 0;

  std::shared_ptr<CallState<Extensions>> hello_;  // until VERSION has come
  std::vector<std::shared_ptr<CallState<void>>> draining_;
  Request* incoming_ = nullptr;  // whose DATA is arriving
  std::uint32_t incoming_id_ = 0;
  std::size_t incoming_bytes_ = 0;

  std::optional<Error> cause_;
  std::function<void()> on_death_;
  bool died_by_itself_ = false;
  bool version_received_ = false;
  bool write_blocked_ = false;  // the stream took less than it was given
  bool receiving_ = false;
};

// A request with one answer.
template <class T, class Decode>
class PendingCall final : public PendingReply {
 public:
  PendingCall(std::shared_ptr<CallState<T>> state, PacketType expected, Decode decode)
      : state_(std::move(state)), expected_(expected), decode_(std::move(decode)) {}
  PacketType expected() const override { return expected_; }
  void on_reply(const Reply& reply) override { state_->complete(decode_(reply)); }
  void on_lost(const Error& why) override { state_->complete(fail(why)); }

 private:
  std::shared_ptr<CallState<T>> state_;
  PacketType expected_;
  Decode decode_;
};

template <class T, class Decode>
Call<T> Engine::call(Queue queue, Packet packet, PacketType expected, Decode decode) {
  return call<T>(std::make_shared<CallState<T>>(), queue, std::move(packet), expected,
                 std::move(decode));
}

template <class T, class Decode>
Call<T> Engine::call(std::shared_ptr<CallState<T>> state, Queue queue, Packet packet,
                     PacketType expected, Decode decode) {
  Request request;
  request.pending = std::make_unique<PendingCall<T, Decode>>(state, expected, std::move(decode));
  const Status submitted = submit(queue, std::move(packet), std::move(request));
  if (!submitted) return Call<T>(submitted.error());
  return Call<T>(std::move(state));
}

}  // namespace sftpfs::sftp
