// See framer.h.
//
//               +---- packet complete: on_packet() <----+
//               v                                       |
//   kHeader: length and type in the scratch buffer -----+
//      |  |                                             |
//      |  +-- longer than the scratch buffer --> kBody -+
//      |                                                |
//      +-- DATA: on_data_begin() --> kPayload ----------+ on_data_end()
//                                    into data_destination(), or dropped
#include "sftp/framer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace sftpfs::sftp {
namespace {

constexpr std::size_t kTypeEnd = kLengthBytes + 1;
constexpr std::size_t kDataHeaderBytes = kHeaderBytes + 4;  // and uint32 count
// Behind a long payload little is read along with it: what comes next is most likely another
// one, and bytes of it that land in the scratch buffer have to be copied.
constexpr std::size_t kLongPayloadBytes = 16 * 1024;
constexpr std::size_t kReadAlongBytes = 1024;
constexpr std::size_t kQuotedBytesMax = 200;

bool is_printable(std::byte byte) {
  const auto value = std::to_integer<unsigned>(byte);
  return value >= 0x20 && value < 0x7f;
}

// The printable part of `bytes`; line ends and tabs become spaces.
std::string printable(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    if (text.size() == kQuotedBytesMax) break;
    if (is_printable(byte)) {
      text.push_back(static_cast<char>(byte));
    } else if (!text.empty() && text.back() != ' ') {
      text.push_back(' ');
    }
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

Framer::Framer(PacketSink& sink) : sink_(sink), scratch_(kScratchBytes) {}

void Framer::compact() {
  if (begin_ == 0) return;
  std::memmove(scratch_.data(), scratch_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

void Framer::aim_at_scratch(std::size_t bytes) {
  aim_[aim_count_++] = iovec{scratch_.data() + end_, std::min(bytes, scratch_.size() - end_)};
}

std::span<const iovec> Framer::destination() {
  compact();
  aim_count_ = 0;
  direct_bytes_ = 0;
  std::size_t read_along = scratch_.size();
  MutableByteSpan direct;
  if (state_ == State::kBody) {
    direct = MutableByteSpan(body_).subspan(body_filled_);
  } else if (state_ == State::kPayload) {
    direct = sink_.data_destination(payload_done_);
    const std::size_t rest = payload_bytes_ - payload_done_;
    if (direct.size() > rest) direct = direct.first(rest);
    if (direct.size() >= kLongPayloadBytes) read_along = kReadAlongBytes;
  }
  if (!direct.empty()) {
    direct_bytes_ = direct.size();
    aim_[aim_count_++] = iovec{direct.data(), direct.size()};
  }
  aim_at_scratch(read_along);
  return {aim_.data(), aim_count_};
}

Status Framer::received(std::size_t bytes) {
  const std::size_t direct = std::min(bytes, direct_bytes_);
  if (state_ == State::kBody) {
    body_filled_ += direct;
  } else {
    payload_done_ += direct;
  }
  end_ += bytes - direct;
  direct_bytes_ = 0;
  while (true) {
    const Result<bool> more = step();
    if (!more) return fail(more.error());
    if (!*more) return {};
  }
}

Result<bool> Framer::step() {
  switch (state_) {
    case State::kHeader: return step_header();
    case State::kBody: return step_body();
    case State::kPayload: return step_payload();
  }
  return false;
}

Result<bool> Framer::step_header() {
  const ByteSpan have = unparsed();
  if (have.size() < kLengthBytes) return false;
  Reader reader(have);
  const std::size_t length = reader.u32();
  if (length == 0 || length > kPacketBytesMax) return fail(bad_length());
  if (have.size() < kTypeEnd) return false;
  const auto type = static_cast<PacketType>(reader.u8());
  const Status plausible = check_length(length, type);
  if (!plausible) return fail(plausible.error());
  if (type == PacketType::kData) return step_data_header(length);
  return step_whole_packet(length);
}

Status Framer::check_length(std::size_t length, PacketType type) const {
  if (!version_seen_ && type != PacketType::kVersion) return fail(bad_length());
  const bool may_be_long = type == PacketType::kName || type == PacketType::kExtendedReply;
  if (length > kSmallPacketBytesMax && !may_be_long) return fail(bad_length());
  if (length < kHeaderBytes - kLengthBytes) {
    return fail(ErrorCode::kProtocol, "the server sent a packet too short for a request id");
  }
  return {};
}

Error Framer::bad_length() const {
  const std::string text = printable(unparsed());
  if (!version_seen_) {
    return Error(ErrorCode::kProtocol,
                 fmt::format("the server sent \"{}\" where SFTP should begin; a start-up file of "
                             "the login shell must not print anything without a terminal",
                             text));
  }
  const ByteSpan length = unparsed().first(kLengthBytes);
  if (std::all_of(length.begin(), length.end(), is_printable)) {
    return Error(ErrorCode::kProtocol,
                 fmt::format("the server sent text in the middle of SFTP: \"{}\"", text));
  }
  Reader reader(length);
  return Error(
      ErrorCode::kProtocol,
      fmt::format("the server sent a packet of {} bytes, which is not possible", reader.u32()));
}

Result<bool> Framer::step_data_header(std::size_t length) {
  const ByteSpan have = unparsed();
  if (have.size() < kDataHeaderBytes) return false;
  Reader reader(have.subspan(kTypeEnd));
  const std::uint32_t id = reader.u32();
  const std::size_t count = reader.u32();
  if (count + kDataHeaderBytes != length + kLengthBytes) {
    return fail(ErrorCode::kProtocol, "the server sent DATA whose two lengths disagree");
  }
  begin_ += kDataHeaderBytes;
  Status begun = sink_.on_data_begin(id, count);
  if (!begun) return fail(std::move(begun).error());
  payload_done_ = 0;
  payload_bytes_ = count;
  state_ = State::kPayload;
  return true;
}

Result<bool> Framer::step_whole_packet(std::size_t length) {
  const std::size_t total = kLengthBytes + length;
  const ByteSpan have = unparsed();
  if (have.size() >= total) {
    begin_ += total;
    Status delivered = deliver(have.first(total));
    if (!delivered) return fail(std::move(delivered).error());
    return true;
  }
  if (total <= scratch_.size()) return false;
  body_.resize(total);
  std::memcpy(body_.data(), have.data(), have.size());
  body_filled_ = have.size();
  begin_ = end_ = 0;
  state_ = State::kBody;
  return false;
}

Result<bool> Framer::step_body() {
  if (body_filled_ < body_.size()) return false;
  std::vector<std::byte> packet;
  packet.swap(body_);
  state_ = State::kHeader;
  Status delivered = deliver(packet);
  if (!delivered) return fail(std::move(delivered).error());
  return true;
}

Result<bool> Framer::step_payload() {
  const std::size_t rest = payload_bytes_ - payload_done_;
  const std::size_t here = std::min(rest, end_ - begin_);
  if (here > 0) {
    const MutableByteSpan into = sink_.data_destination(payload_done_);
    if (!into.empty()) {
      SFTPFS_CHECK(into.size() >= here);
      std::memcpy(into.data(), scratch_.data() + begin_, here);
    }
    begin_ += here;
    payload_done_ += here;
  }
  if (payload_done_ < payload_bytes_) return false;
  state_ = State::kHeader;
  Status ended = sink_.on_data_end();
  if (!ended) return fail(std::move(ended).error());
  return true;
}

Status Framer::deliver(ByteSpan packet) {
  version_seen_ = true;
  const auto type = static_cast<PacketType>(packet[kLengthBytes]);
  return sink_.on_packet(type, packet.subspan(kTypeEnd));
}

std::string Framer::unparsed_text() const { return printable(unparsed()); }

}  // namespace sftpfs::sftp
