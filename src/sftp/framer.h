// Framer: cuts the server's stream of bytes into packets, and reads the payload of DATA straight
// into the memory of whoever asked for it.
//
// Sans-I/O: destination() says where the next bytes are to go, received() takes note of how many
// came and tells the PacketSink what has become complete.
//
// Ownership: owns its buffers; the sink outlives it.
// Threads:   one thread.
// Limits:    packets up to kPacketBytesMax, and only NAME and EXTENDED_REPLY above
//            kSmallPacketBytesMax; the scratch buffer is kScratchBytes. A packet that needs more
//            is collected in memory of its own, freed when it is complete.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {

// What the framer has found. An error that a function returns ends the conversation.
class PacketSink {
 public:
  // A whole packet that is not DATA; `body` is what follows the type byte, valid for the call.
  virtual Status on_packet(PacketType type, ByteSpan body) = 0;

  // DATA for request `id` begins, `bytes` of payload follow.
  virtual Status on_data_begin(std::uint32_t id, std::size_t bytes) = 0;
  // Where its payload goes from `position` on: room for all the rest, or empty when nobody wants
  // it any more. Asked anew before each use, so that memory given up in between stays untouched.
  virtual MutableByteSpan data_destination(std::size_t position) = 0;
  virtual Status on_data_end() = 0;

 protected:
  ~PacketSink() = default;
};

class Framer {
 public:
  static constexpr std::size_t kPacketBytesMax = 1024 * 1024;
  static constexpr std::size_t kSmallPacketBytesMax = 260 * 1024;
  static constexpr std::size_t kScratchBytes = 64 * 1024;

  explicit Framer(PacketSink& sink);

  // Never empty. Valid until the next call of either function.
  std::span<const iovec> destination();
  // `bytes` have been stored there, in order.
  Status received(std::size_t bytes);

  // What has come instead of VERSION, for the message about the end of a stream.
  bool version_seen() const { return version_seen_; }
  std::string unparsed_text() const;

 private:
  enum class State : std::uint8_t { kHeader, kBody, kPayload };

  void aim_at_scratch(std::size_t bytes);
  Result<bool> step();  // false: more bytes are needed
  Result<bool> step_header();
  Result<bool> step_data_header(std::size_t length);
  Result<bool> step_whole_packet(std::size_t length);
  Result<bool> step_body();
  Result<bool> step_payload();
  Status check_length(std::size_t length, PacketType type) const;
  Error bad_length() const;
  Status deliver(ByteSpan packet);
  void compact();
  ByteSpan unparsed() const { return {scratch_.data() + begin_, end_ - begin_}; }

  PacketSink& sink_;
  State state_ = State::kHeader;
  bool version_seen_ = false;

  std::vector<std::byte> scratch_;
  std::size_t begin_ = 0;  // scratch_[begin_, end_) has arrived and is not parsed yet
  std::size_t end_ = 0;

  std::vector<std::byte> body_;  // kBody: a packet too large for the scratch buffer
  std::size_t body_filled_ = 0;

  std::size_t payload_done_ = 0;  // kPayload: position in the DATA under way
  std::size_t payload_bytes_ = 0;

  std::array<iovec, 2> aim_{};
  std::size_t aim_count_ = 0;
  std::size_t direct_bytes_ = 0;  // of aim_[0] when it is not the scratch buffer
};

}  // namespace sftpfs::sftp
