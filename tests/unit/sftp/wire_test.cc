// The Writer, the Reader and every encoder.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sftp/encode.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {
namespace {

Attrs all_attrs() {
  Attrs attrs;
  attrs.flags = kAttrSize | kAttrUidGid | kAttrPermissions | kAttrTimes;
  attrs.size = 0x0102030405060708;
  attrs.uid = 1000;
  attrs.gid = 1001;
  attrs.permissions = 0100644;
  attrs.atime = 4000000000;
  attrs.mtime = 1700000000;
  return attrs;
}

// A reader of what follows the header of `packet`, whose length and type are checked.
Reader open_packet(const Packet& packet, PacketType type, std::size_t payload_bytes = 0) {
  Reader reader{ByteSpan(packet)};
  EXPECT_EQ(reader.u32(), packet.size() - kLengthBytes + payload_bytes);
  EXPECT_EQ(static_cast<PacketType>(reader.u8()), type);
  reader.u32();
  return reader;
}

void expect_end(const Reader& reader) {
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

Reader open_extended(const Packet& packet, std::string_view name) {
  Reader reader = open_packet(packet, PacketType::kExtended);
  EXPECT_EQ(reader.string(100), name);
  return reader;
}

TEST(Wire, InitIsTheNineBytesOfTheDraft) {
  const Packet packet = encode_init();
  const std::vector<std::byte> expected = {std::byte{0}, std::byte{0}, std::byte{0},
                                           std::byte{5}, std::byte{1}, std::byte{0},
                                           std::byte{0}, std::byte{0}, std::byte{3}};
  EXPECT_EQ(packet, expected);
}

TEST(Wire, StampSetsTheIdAndNothingElse) {
  Packet packet = encode_path(PacketType::kLstat, "/a");
  const Packet before = packet;
  stamp(packet, 0xA1B2C3D4);
  Reader reader{ByteSpan(packet)};
  reader.u32();
  reader.u8();
  EXPECT_EQ(reader.u32(), 0xA1B2C3D4);
  stamp(packet, 0);
  EXPECT_EQ(packet, before);
}

TEST(Wire, RequestsWithOneStringCarryIt) {
  for (const PacketType type :
       {PacketType::kLstat, PacketType::kStat, PacketType::kOpendir, PacketType::kRemove,
        PacketType::kRmdir, PacketType::kRealpath, PacketType::kReadlink, PacketType::kClose,
        PacketType::kFstat, PacketType::kReaddir}) {
    const Packet packet = encode_path(type, "/dir/name");
    Reader reader = open_packet(packet, type);
    EXPECT_EQ(reader.string(100), "/dir/name");
    expect_end(reader);
  }
}

TEST(Wire, AttributesSurviveTheRoundTrip) {
  for (std::uint32_t flags = 0; flags < 16; ++flags) {
    Attrs attrs = all_attrs();
    attrs.flags = flags;
    const Packet packet = encode_path_attrs(PacketType::kSetstat, "/f", attrs);
    Reader reader = open_packet(packet, PacketType::kSetstat);
    reader.string(100);
    const Attrs read = reader.attrs();
    expect_end(reader);
    EXPECT_EQ(read.flags, flags);
    EXPECT_EQ(read.size, attrs.has(kAttrSize) ? attrs.size : 0);
    EXPECT_EQ(read.uid, attrs.has(kAttrUidGid) ? attrs.uid : 0);
    EXPECT_EQ(read.permissions, attrs.has(kAttrPermissions) ? attrs.permissions : 0);
    EXPECT_EQ(read.mtime, attrs.has(kAttrTimes) ? attrs.mtime : 0);
  }
}

TEST(Wire, ExtendedAttributesAreSkipped) {
  Writer writer(PacketType::kAttrs);
  writer.u32(kAttrPermissions | kAttrExtended).u32(0640).u32(2);
  writer.string("acl@example").string("abc").string("x").string("").u32(77);
  const Packet packet = std::move(writer).finish();
  Reader reader = open_packet(packet, PacketType::kAttrs);
  const Attrs attrs = reader.attrs();
  EXPECT_EQ(attrs.flags, kAttrPermissions);
  EXPECT_EQ(attrs.permissions, 0640U);
  EXPECT_EQ(reader.u32(), 77U);
  expect_end(reader);
}

TEST(Wire, BillionsOfExtendedAttributesEndWithTheBytes) {
  Writer writer(PacketType::kAttrs);
  writer.u32(kAttrExtended).u32(0xFFFFFFFF).string("a").string("b");
  const Packet packet = std::move(writer).finish();
  Reader reader = open_packet(packet, PacketType::kAttrs);
  EXPECT_EQ(reader.attrs(), Attrs{});
  EXPECT_FALSE(reader.ok());
}

TEST(Wire, FileRequestsCarryTheirFields) {
  const Attrs attrs = all_attrs();
  const Packet open = encode_open("/f", kOpenRead | kOpenCreate, attrs);
  Reader reader = open_packet(open, PacketType::kOpen);
  EXPECT_EQ(reader.string(100), "/f");
  EXPECT_EQ(reader.u32(), kOpenRead | kOpenCreate);
  EXPECT_EQ(reader.attrs(), attrs);
  expect_end(reader);

  const Packet read = encode_read("h", 1ULL << 40, 32768);
  reader = open_packet(read, PacketType::kRead);
  EXPECT_EQ(reader.string(100), "h");
  EXPECT_EQ(reader.u64(), 1ULL << 40);
  EXPECT_EQ(reader.u32(), 32768U);
  expect_end(reader);

  const Packet head = encode_write_head("h", 7, 1000);
  reader = open_packet(head, PacketType::kWrite, 1000);
  EXPECT_EQ(reader.string(100), "h");
  EXPECT_EQ(reader.u64(), 7U);
  EXPECT_EQ(reader.u32(), 1000U);
  expect_end(reader);

  const Packet fsetstat = encode_fsetstat("h", attrs);
  reader = open_packet(fsetstat, PacketType::kFsetstat);
  EXPECT_EQ(reader.string(100), "h");
  EXPECT_EQ(reader.attrs(), attrs);
  expect_end(reader);
}

TEST(Wire, RequestsWithTwoPathsKeepTheirOrder) {
  for (const PacketType type : {PacketType::kRename, PacketType::kSymlink}) {
    const Packet packet = encode_two_paths(type, "first", "second");
    Reader reader = open_packet(packet, type);
    EXPECT_EQ(reader.string(100), "first");
    EXPECT_EQ(reader.string(100), "second");
    expect_end(reader);
  }
}

TEST(Wire, ExtensionsCarryTheirNameAndFields) {
  Reader reader = open_extended(encode_limits(), "limits@openssh.com");
  expect_end(reader);

  const Packet statvfs = encode_extended_string(extension::kStatvfs, "/");
  reader = open_extended(statvfs, "statvfs@openssh.com");
  EXPECT_EQ(reader.string(100), "/");
  expect_end(reader);

  const Packet rename = encode_extended_paths(extension::kPosixRename, "a", "b");
  reader = open_extended(rename, "posix-rename@openssh.com");
  EXPECT_EQ(reader.string(100), "a");
  EXPECT_EQ(reader.string(100), "b");
  expect_end(reader);

  const Packet lsetstat = encode_lsetstat("l", all_attrs());
  reader = open_extended(lsetstat, "lsetstat@openssh.com");
  EXPECT_EQ(reader.string(100), "l");
  EXPECT_EQ(reader.attrs(), all_attrs());
  expect_end(reader);

  const Packet copy = encode_copy_data("from", 1, 2, "to", 3);
  reader = open_extended(copy, "copy-data");
  EXPECT_EQ(reader.string(100), "from");
  EXPECT_EQ(reader.u64(), 1U);
  EXPECT_EQ(reader.u64(), 2U);
  EXPECT_EQ(reader.string(100), "to");
  EXPECT_EQ(reader.u64(), 3U);
  expect_end(reader);

  const Packet ids = encode_users_groups_by_id({1, 2}, {3});
  reader = open_extended(ids, "users-groups-by-id@openssh.com");
  Reader users(as_byte_span(reader.string(100)));
  EXPECT_EQ(users.u32(), 1U);
  EXPECT_EQ(users.u32(), 2U);
  expect_end(users);
  Reader groups(as_byte_span(reader.string(100)));
  EXPECT_EQ(groups.u32(), 3U);
  expect_end(groups);
  expect_end(reader);
}

TEST(Wire, AStringLongerThanItsMaximumIsRefused) {
  const Packet packet = encode_path(PacketType::kStat, std::string(257, 'h'));
  Reader reader = open_packet(packet, PacketType::kStat);
  EXPECT_EQ(reader.string(256), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Wire, TheFirstFailureSticks) {
  const std::byte bytes[3] = {std::byte{1}, std::byte{2}, std::byte{3}};
  Reader reader{ByteSpan(bytes)};
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_EQ(reader.u8(), 0U);
  EXPECT_EQ(reader.u64(), 0U);
  EXPECT_EQ(reader.string(10), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(Wire, RandomBytesNeverLeadOutside) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t size = random() % 64;
    // Exactly as long as the span, so that the sanitizer sees one byte too far.
    const auto bytes = std::make_unique<std::byte[]>(size);
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = static_cast<std::byte>(random() % 4 == 0 ? random() : 0);
    }
    Reader reader{ByteSpan(bytes.get(), size)};
    while (reader.ok() && reader.remaining() > 0) {
      switch (random() % 4) {
        case 0: reader.u8(); break;
        case 1: reader.u64(); break;
        case 2: reader.string(random() % 40); break;
        default: reader.attrs(); break;
      }
    }
  }
}

TEST(Wire, UnknownPacketTypesHaveANumberForAName) {
  EXPECT_EQ(packet_type_name(PacketType::kExtendedReply), "EXTENDED_REPLY");
  EXPECT_EQ(packet_type_name(static_cast<PacketType>(77)), "type 77");
}

}  // namespace
}  // namespace sftpfs::sftp
