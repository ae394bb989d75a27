// See wire.h.
#include "sftp/wire.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace sftpfs::sftp {
namespace {

constexpr std::size_t kTypicalRequestBytes = 96;
constexpr std::size_t kIdOffset = 5;
constexpr std::uint32_t kKnownAttrs = kAttrSize | kAttrUidGid | kAttrPermissions | kAttrTimes;

void store(std::byte* to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    to[i] = static_cast<std::byte>(value >> (8 * (bytes - 1 - i)));
  }
}

struct TypeName {
  PacketType type;
  const char* name;
};
constexpr std::array kTypeNames = {
    TypeName{PacketType::kInit, "INIT"},
    TypeName{PacketType::kVersion, "VERSION"},
    TypeName{PacketType::kOpen, "OPEN"},
    TypeName{PacketType::kClose, "CLOSE"},
    TypeName{PacketType::kRead, "READ"},
    TypeName{PacketType::kWrite, "WRITE"},
    TypeName{PacketType::kLstat, "LSTAT"},
    TypeName{PacketType::kFstat, "FSTAT"},
    TypeName{PacketType::kSetstat, "SETSTAT"},
    TypeName{PacketType::kFsetstat, "FSETSTAT"},
    TypeName{PacketType::kOpendir, "OPENDIR"},
    TypeName{PacketType::kReaddir, "READDIR"},
    TypeName{PacketType::kRemove, "REMOVE"},
    TypeName{PacketType::kMkdir, "MKDIR"},
    TypeName{PacketType::kRmdir, "RMDIR"},
    TypeName{PacketType::kRealpath, "REALPATH"},
    TypeName{PacketType::kStat, "STAT"},
    TypeName{PacketType::kRename, "RENAME"},
    TypeName{PacketType::kReadlink, "READLINK"},
    TypeName{PacketType::kSymlink, "SYMLINK"},
    TypeName{PacketType::kStatus, "STATUS"},
    TypeName{PacketType::kHandle, "HANDLE"},
    TypeName{PacketType::kData, "DATA"},
    TypeName{PacketType::kName, "NAME"},
    TypeName{PacketType::kAttrs, "ATTRS"},
    TypeName{PacketType::kExtended, "EXTENDED"},
    TypeName{PacketType::kExtendedReply, "EXTENDED_REPLY"},
};

}  // namespace

std::string packet_type_name(PacketType type) {
  for (const TypeName& known : kTypeNames) {
    if (known.type == type) return known.name;
  }
  return fmt::format("type {}", static_cast<unsigned>(type));
}

ByteSpan Reader::take(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const ByteSpan taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::uint64_t Reader::big_endian(std::size_t bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : take(bytes)) {
    value = (value << 8) | std::to_integer<std::uint64_t>(byte);
  }
  return value;
}

std::uint8_t Reader::u8() { return static_cast<std::uint8_t>(big_endian(1)); }
std::uint32_t Reader::u32() { return static_cast<std::uint32_t>(big_endian(4)); }
std::uint64_t Reader::u64() { return big_endian(8); }

std::string_view Reader::string(std::size_t bytes_max) {
  const std::size_t length = u32();
  if (length > bytes_max) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const ByteSpan bytes = take(length);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Attrs Reader::attrs() {
  Attrs attrs;
  const std::uint32_t flags = u32();
  if ((flags & kAttrSize) != 0) attrs.size = u64();
  if ((flags & kAttrUidGid) != 0) {
    attrs.uid = u32();
    attrs.gid = u32();
  }
  if ((flags & kAttrPermissions) != 0) attrs.permissions = u32();
  if ((flags & kAttrTimes) != 0) {
    attrs.atime = u32();
    attrs.mtime = u32();
  }
  if ((flags & kAttrExtended) != 0) {
    const std::uint32_t pairs = u32();
    for (std::uint32_t i = 0; i < pairs && ok_; ++i) {
      string(rest_.size());
      string(rest_.size());
    }
  }
  attrs.flags = flags & kKnownAttrs;
  return ok_ ? attrs : Attrs{};
}

Writer::Writer(PacketType type) : Writer(type, 0) {}

Writer::Writer(PacketType type, std::uint32_t first_field) {
  packet_.reserve(kTypicalRequestBytes);
  packet_.resize(kLengthBytes);
  packet_.push_back(static_cast<std::byte>(type));
  u32(first_field);
}

void Writer::big_endian(std::uint64_t value, std::size_t bytes) {
  const std::size_t at = packet_.size();
  packet_.resize(at + bytes);
  store(packet_.data() + at, value, bytes);
}

Writer& Writer::u32(std::uint32_t value) {
  big_endian(value, 4);
  return *this;
}

Writer& Writer::u64(std::uint64_t value) {
  big_endian(value, 8);
  return *this;
}

Writer& Writer::string(std::string_view text) {
  u32(static_cast<std::uint32_t>(text.size()));
  const ByteSpan bytes = as_byte_span(text);
  packet_.insert(packet_.end(), bytes.begin(), bytes.end());
  return *this;
}

Writer& Writer::attrs(const Attrs& attrs) {
  u32(attrs.flags & kKnownAttrs);
  if (attrs.has(kAttrSize)) u64(attrs.size);
  if (attrs.has(kAttrUidGid)) u32(attrs.uid).u32(attrs.gid);
  if (attrs.has(kAttrPermissions)) u32(attrs.permissions);
  if (attrs.has(kAttrTimes)) u32(attrs.atime).u32(attrs.mtime);
  return *this;
}

Packet Writer::finish(std::size_t payload_bytes) && {
  store(packet_.data(), packet_.size() - kLengthBytes + payload_bytes, kLengthBytes);
  return std::move(packet_);
}

void stamp(Packet& packet, std::uint32_t id) {
  SFTPFS_CHECK(packet.size() >= kHeaderBytes);
  store(packet.data() + kIdOffset, id, sizeof(id));
}

}  // namespace sftpfs::sftp
