// The bytes of SFTP version 3: packet types, a bounds-checked big-endian Reader and a Writer.
// Pure functions of bytes, no I/O; what the messages mean is in encode.h and decode.h.
//
// Ownership: a Reader views bytes it does not own; what string() returns views the same bytes.
// Threads:   plain values.
// Limits:    the Reader never looks past its span. Its first failure sticks: everything read
//            afterwards is zero or empty, so a decoder checks ok() once, at its end, and loops
//            that a count of the server drives check it at each step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

// SSH_FXP_*: section 3 of draft-ietf-secsh-filexfer-02.
enum class PacketType : std::uint8_t {
  kInit = 1,
  kVersion = 2,
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kLstat = 7,
  kFstat = 8,
  kSetstat = 9,
  kFsetstat = 10,
  kOpendir = 11,
  kReaddir = 12,
  kRemove = 13,
  kMkdir = 14,
  kRmdir = 15,
  kRealpath = 16,
  kStat = 17,
  kRename = 18,
  kReadlink = 19,
  kSymlink = 20,
  kStatus = 101,
  kHandle = 102,
  kData = 103,
  kName = 104,
  kAttrs = 105,
  kExtended = 200,
  kExtendedReply = 201,
};

// "READ", "STATUS", or "type 77", for messages.
std::string packet_type_name(PacketType type);

inline constexpr std::uint32_t kProtocolVersion = 3;
inline constexpr std::size_t kLengthBytes = 4;
// uint32 length, byte type, uint32 id.
inline constexpr std::size_t kHeaderBytes = 9;
inline constexpr std::size_t kHandleBytesMax = 256;
// The longest name that Linux takes from a FUSE file system; one that is longer would hide the rest
// of its directory.
inline constexpr std::size_t kEntryNameBytesMax = 1024;

class Reader {
 public:
  explicit Reader(ByteSpan bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint32_t u32();
  std::uint64_t u64();
  // A length and that many bytes; fails when there are fewer, or when it is above `bytes_max`.
  std::string_view string(std::size_t bytes_max);
  // ATTRS; extended pairs are skipped, flag bits that version 3 does not know are dropped.
  Attrs attrs();

  bool ok() const { return ok_; }
  std::size_t remaining() const { return rest_.size(); }

 private:
  ByteSpan take(std::size_t count);
  std::uint64_t big_endian(std::size_t bytes);
  ByteSpan rest_;
  bool ok_ = true;
};

// One encoded packet, from its length field on.
using Packet = std::vector<std::byte>;

class Writer {
 public:
  // A packet whose first field is a request id, set later by stamp().
  explicit Writer(PacketType type);
  // SSH_FXP_INIT, which has a version there.
  Writer(PacketType type, std::uint32_t first_field);

  Writer& u32(std::uint32_t value);
  Writer& u64(std::uint64_t value);
  Writer& string(std::string_view text);
  Writer& attrs(const Attrs& attrs);

  // Sets the length field; `payload_bytes` more follow from elsewhere (the data of a WRITE).
  Packet finish(std::size_t payload_bytes = 0) &&;

 private:
  void big_endian(std::uint64_t value, std::size_t bytes);
  Packet packet_;
};

// Gives an encoded request its id.
void stamp(Packet& packet, std::uint32_t id);

}  // namespace sftpfs::sftp
