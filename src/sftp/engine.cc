// See engine.h.
//
//   begin() --> greeting --VERSION 3--> talking
//                  |                       |
//                  +------- die() ---------+--> dead: every operation is told, then, in a turn
//                                               of its own, the stream is released and
//                                               on_death() called
#include "sftp/engine.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "sftp/encode.h"

namespace sftpfs::sftp {
namespace {

constexpr std::size_t kIovecsPerWrite = 64;
// With this much queued the end of the turn is not waited for.
constexpr std::size_t kFlushBytes = 256 * 1024;

std::size_t total_bytes(std::span<const iovec> parts) {
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  return total;
}

}  // namespace

Engine::Engine(runtime::Loop& loop, std::unique_ptr<runtime::ByteStream> stream)
    : loop_(loop),
      stream_(std::move(stream)),
      description_(stream_->description()),
      framer_(*this),
      last_heard_(loop.now()) {}

Engine::~Engine() {
  die(Error(ErrorCode::kConnectionLost, "the session was closed"), false);
  loop_.forget_turn_end(*this);
}

Call<Extensions> Engine::begin() {
  hello_ = std::make_shared<CallState<Extensions>>();
  const Status attached = stream_->attach(loop_, *this);
  if (!attached) {
    Error why = attached.error();
    die(why, false);
    return Call<Extensions>(std::move(why));
  }
  queue_.push(Queue::kMetadata, OutgoingPacket{0, encode_init(), {}});
  loop_.at_turn_end(*this);
  return Call<Extensions>(hello_);
}

Error Engine::lost_error() const {
  SFTPFS_CHECK(cause_.has_value());
  if (cause_->is(ErrorCode::kConnectionLost)) return *cause_;
  return Error(ErrorCode::kConnectionLost, cause_->describe());
}

void Engine::die(Error why, bool by_itself) {
  if (cause_) return;
  cause_.emplace(std::move(why));
  died_by_itself_ = by_itself;
  incoming_ = nullptr;
  queue_.clear();
  const Error lost = lost_error();
  for (Request& request : table_.take_all()) request.pending->on_lost(lost);
  stats_.requests_in_flight = 0;
  if (hello_) std::exchange(hello_, nullptr)->complete(fail(*cause_));
  for (const auto& waiting : std::exchange(draining_, {})) waiting->complete(fail(lost));
  post_after_death();
}

void Engine::on_death(std::function<void()> callback) {
  on_death_ = std::move(callback);
  if (cause_) post_after_death();
}

void Engine::post_after_death() {
  loop_.post([weak = weak_from_this()] {
    if (const std::shared_ptr<Engine> self = weak.lock()) self->after_death();
  });
}

void Engine::after_death() {
  stream_.reset();
  if (!died_by_itself_ || !on_death_) return;
  const std::function<void()> callback = std::exchange(on_death_, {});
  callback();
}

Status Engine::has_room(std::size_t requests) const {
  if (cause_) return fail(lost_error());
  if (!table_.has_room(requests)) {
    return fail(ErrorCode::kBusy, "too many requests wait for the server");
  }
  return {};
}

Status Engine::submit(Queue queue, Packet head, Request request, SharedBytes payload) {
  Status room = has_room(1);
  if (!room) return room;
  if (head.size() + payload.size() > kLengthBytes + limits_.packet_bytes_max) {
    return fail(ErrorCode::kInvalid, "the request is longer than the server accepts");
  }
  data_bytes_under_way_ += request.data_bytes;
  OutgoingPacket packet;
  packet.id = table_.add(std::move(request));
  packet.head = std::move(head);
  packet.payload = std::move(payload);
  stamp(packet.head, packet.id);
  queue_.push(queue, std::move(packet));
  stats_.requests_in_flight = table_.size();
  loop_.at_turn_end(*this);
  if (queue_.bytes() >= kFlushBytes && !receiving_) flush();
  return {};
}

bool Engine::output_pending() const {
  return !queue_.empty() || (stream_ && stream_->output_pending());
}

void Engine::set_receive_window(std::size_t bytes) {
  if (alive()) stream_->set_receive_window(bytes);
}

Call<void> Engine::drained() {
  if (cause_) return Call<void>(lost_error());
  auto state = std::make_shared<CallState<void>>();
  draining_.push_back(state);
  check_drained();
  return Call<void>(std::move(state));
}

void Engine::check_drained() {
  if (!table_.empty()) return;
  for (const auto& waiting : std::exchange(draining_, {})) waiting->complete({});
}

// --- Sending ------------------------------------------------------------------------------------

void Engine::on_turn_end() { flush(); }

void Engine::on_writable() {
  write_blocked_ = false;
  flush();
}

void Engine::flush() {
  std::array<iovec, kIovecsPerWrite> parts;
  while (alive() && !write_blocked_ && !queue_.empty()) {
    const std::size_t count = queue_.gather(parts);
    const std::span<const iovec> from(parts.data(), count);
    Result<std::size_t> took = stream_->write(from);
    if (!took) return stream_ended(took.error());
    stats_.bytes_sent += *took;
    const TimePoint now = loop_.now();
    queue_.taken(*took, [this, now](std::uint32_t id) { note_sent(id, now); });
    write_blocked_ = *took < total_bytes(from);
  }
}

void Engine::note_sent(std::uint32_t id, TimePoint now) {
  Request* request = table_.find(id);
  if (request == nullptr) return;  // INIT
  request->sent = true;
  request->mark = estimator_.mark(now, data_bytes_under_way_);
  ++stats_.requests_sent;
}

// --- Receiving ----------------------------------------------------------------------------------

void Engine::on_readable() { receive(); }

void Engine::receive() {
  std::size_t budget = kReceiveBudgetBytes;
  receiving_ = true;
  while (alive() && budget > 0 && receive_once(budget)) {
  }
  receiving_ = false;
  if (!alive() || budget > 0) return;
  loop_.post([weak = weak_from_this()] {
    if (const std::shared_ptr<Engine> self = weak.lock()) self->receive();
  });
}

bool Engine::receive_once(std::size_t& budget) {
  const std::span<const iovec> into = framer_.destination();
  const std::size_t asked = total_bytes(into);
  Result<std::size_t> got = stream_->read(into);
  if (!got) {
    stream_ended(got.error());
    return false;
  }
  if (*got == 0) return false;
  SFTPFS_CHECK(*got <= asked);
  last_heard_ = loop_.now();
  stats_.bytes_received += *got;
  estimator_.on_received(*got);
  Status parsed = framer_.received(*got);
  if (!parsed) {
    die(std::move(parsed).error(), true);
    return false;
  }
  budget -= std::min(budget, *got);
  // Less than asked for: the stream has nothing more and will call again. Then the rest of the
  // budget does not matter.
  return *got == asked;
}

void Engine::stream_ended(const Error& why) {
  if (framer_.version_seen()) return die(why, true);
  const std::string text = framer_.unparsed_text();
  const std::string cause = why.describe();
  // A refused key or password says all there is to say.
  if (text.empty() && !why.is(ErrorCode::kConnectionLost)) return die(why, true);
  if (text.empty()) {
    return die(Error(why.code(), fmt::format("the connection ended before SFTP began ({}); is the "
                                             "sftp subsystem enabled on the server?",
                                             cause)),
               true);
  }
  die(Error(ErrorCode::kProtocol,
            fmt::format("the server sent \"{}\" instead of SFTP and ended the connection ({})",
                        text, cause)),
      true);
}

Status Engine::on_packet(PacketType type, ByteSpan body) {
  if (cause_) return fail(*cause_);
  if (!version_received_) return on_version(body);
  Reader reader(body);
  const std::uint32_t id = reader.u32();
  const Result<Request*> request = answered(id, type);
  if (!request) return fail(request.error());
  const Request done = settle(id);
  done.pending->on_reply(Reply{type, body.subspan(sizeof(id))});
  check_drained();
  return {};
}

Status Engine::on_version(ByteSpan body) {
  version_received_ = true;
  Result<Version> version = decode_version(body);
  if (!version) return fail(std::move(version).error());
  if (version->number != kProtocolVersion) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the server speaks version {} of SFTP, but version {} is needed",
                            version->number, kProtocolVersion));
  }
  extensions_ = version->extensions;
  if (hello_) std::exchange(hello_, nullptr)->complete(extensions_);
  return {};
}

Result<Request*> Engine::answered(std::uint32_t id, PacketType type) {
  Request* request = table_.find(id);
  if (request == nullptr || !request->sent) {
    return fail(ErrorCode::kProtocol,
                fmt::format("the server sent {} for request {}, which does not wait for an answer",
                            packet_type_name(type), id));
  }
  const PacketType expected = request->pending->expected();
  if (type != expected && type != PacketType::kStatus) {
    return fail(ErrorCode::kProtocol,
                fmt::format("the server sent {} where {} should come", packet_type_name(type),
                            packet_type_name(expected)));
  }
  return request;
}

Request Engine::settle(std::uint32_t id) {
  Request done = table_.take(id);
  ++stats_.replies_received;
  stats_.requests_in_flight = table_.size();
  data_bytes_under_way_ -= done.data_bytes;
  if (done.writes) estimator_.on_acknowledged(done.data_bytes);
  estimator_.on_reply(done.mark, loop_.now());
  return done;
}

Status Engine::on_data_begin(std::uint32_t id, std::size_t bytes) {
  if (cause_) return fail(*cause_);
  const Result<Request*> request = answered(id, PacketType::kData);
  if (!request) return fail(request.error());
  if (bytes > (*request)->pending->data_bytes_max()) {
    return fail(ErrorCode::kProtocol,
                fmt::format("the server sent {} bytes where {} were asked for", bytes,
                            (*request)->pending->data_bytes_max()));
  }
  incoming_ = *request;
  incoming_id_ = id;
  incoming_bytes_ = bytes;
  return {};
}

MutableByteSpan Engine::data_destination(std::size_t position) {
  if (incoming_ == nullptr) return {};
  return incoming_->pending->data_destination(position);
}

Status Engine::on_data_end() {
  if (cause_) return fail(*cause_);
  incoming_ = nullptr;
  const Request done = settle(incoming_id_);
  done.pending->on_data_end(incoming_bytes_);
  check_drained();
  return {};
}

}  // namespace sftpfs::sftp
