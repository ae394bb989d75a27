// The decoders: values, the server's statuses, and hostile bytes.
#include "sftp/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sftp/encode.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {
namespace {

// The body of a reply, behind its id.
std::string body_of(Writer writer) {
  const Packet packet = std::move(writer).finish();
  return {reinterpret_cast<const char*>(packet.data()) + kHeaderBytes,
          packet.size() - kHeaderBytes};
}

Attrs some_attrs() {
  Attrs attrs;
  attrs.flags = kAttrSize | kAttrUidGid | kAttrPermissions | kAttrTimes;
  attrs.size = 42;
  attrs.permissions = 0100600;
  attrs.mtime = 1;
  return attrs;
}

Writer names_writer(const std::vector<std::string>& names) {
  Writer writer(PacketType::kName);
  writer.u32(static_cast<std::uint32_t>(names.size()));
  for (const std::string& name : names) {
    writer.string(name).string("-rw------- 1 a b").attrs(some_attrs());
  }
  return writer;
}

Writer status_writer(std::uint32_t code) {
  Writer writer(PacketType::kStatus);
  writer.u32(code).string("text").string("en");
  return writer;
}

// What a decoder makes of a body that lies in exactly its own memory.
using Decoder = std::function<Status(const Reply&)>;
Status decode_exactly(const Decoder& decode, PacketType type, const std::string& body) {
  const auto bytes = std::make_unique<std::byte[]>(body.size());
  std::memcpy(bytes.get(), body.data(), body.size());
  return decode(Reply{type, ByteSpan(bytes.get(), body.size())});
}

template <class T>
Status drop_value(const Result<T>& result) {
  if (!result) return fail(result.error());
  return {};
}

struct Case {
  const char* name;
  PacketType type;
  std::string body;
  Decoder decode;
  std::vector<std::size_t> whole_at;  // shorter bodies that are complete as well
};

std::vector<Case> every_reply() {
  Writer handle(PacketType::kHandle);
  handle.string("handle");
  Writer attrs(PacketType::kAttrs);
  attrs.attrs(some_attrs());
  Writer extended(PacketType::kAttrs);
  extended.u32(kAttrExtended).u32(1).string("name").string("value");
  Writer statvfs(PacketType::kExtendedReply);
  for (std::uint64_t i = 0; i < 11; ++i) statvfs.u64(i);
  Writer limits(PacketType::kExtendedReply);
  limits.u64(262144).u64(261120).u64(261120).u64(1019);
  Writer users(PacketType::kExtendedReply);
  users.string(std::string("\0\0\0\4root\0\0\0\0", 12)).string(std::string("\0\0\0\1g", 5));
  Writer version(PacketType::kVersion);
  version.u32(3);
  return {
      {"status", PacketType::kStatus, body_of(status_writer(kFxOk)), decode_status, {4, 12}},
      {"handle",
       PacketType::kHandle,
       body_of(std::move(handle)),
       [](const Reply& r) { return drop_value(decode_handle(r)); },
       {}},
      {"attrs",
       PacketType::kAttrs,
       body_of(std::move(attrs)),
       [](const Reply& r) { return drop_value(decode_attrs(r)); },
       {}},
      {"extended attrs",
       PacketType::kAttrs,
       body_of(std::move(extended)),
       [](const Reply& r) { return drop_value(decode_attrs(r)); },
       {}},
      {"names",
       PacketType::kName,
       body_of(names_writer({"a", "b"})),
       [](const Reply& r) { return drop_value(decode_names(r)); },
       {}},
      {"path",
       PacketType::kName,
       body_of(names_writer({"/a"})),
       [](const Reply& r) { return drop_value(decode_path(r)); },
       {}},
      {"statvfs",
       PacketType::kExtendedReply,
       body_of(std::move(statvfs)),
       [](const Reply& r) { return drop_value(decode_statvfs(r)); },
       {}},
      {"limits",
       PacketType::kExtendedReply,
       body_of(std::move(limits)),
       [](const Reply& r) { return drop_value(decode_limits(r)); },
       {}},
      {"users and groups",
       PacketType::kExtendedReply,
       body_of(std::move(users)),
       [](const Reply& r) { return drop_value(decode_users_groups(r, 2, 1)); },
       {}},
  };
}

TEST(Decode, EveryWholeReplyIsUnderstood) {
  for (const Case& reply : every_reply()) {
    const Status status = decode_exactly(reply.decode, reply.type, reply.body);
    EXPECT_TRUE(status) << reply.name << ": " << (status ? "" : status.error().describe());
  }
}

TEST(Decode, EveryTruncationOfEveryReplyIsAProtocolError) {
  for (const Case& reply : every_reply()) {
    for (std::size_t size = 0; size < reply.body.size(); ++size) {
      const bool whole = std::count(reply.whole_at.begin(), reply.whole_at.end(), size) > 0;
      const Status status = decode_exactly(reply.decode, reply.type, reply.body.substr(0, size));
      EXPECT_EQ(status.has_value(), whole) << reply.name << " cut at " << size;
      if (whole || status) continue;
      EXPECT_TRUE(status.error().is(ErrorCode::kProtocol)) << reply.name;
    }
  }
}

TEST(Decode, EveryLengthFieldMayLie) {
  for (const Case& reply : every_reply()) {
    for (std::size_t at = 0; at + 4 <= reply.body.size(); ++at) {
      for (const char filler : {'\x7f', '\xff'}) {
        std::string body = reply.body;
        body.replace(at, 4, 4, filler);
        // Some of these are values and not lengths: any answer will do, within the bytes.
        (void)decode_exactly(reply.decode, reply.type, body);
      }
    }
  }
}

TEST(Decode, RandomBytesNeverLeadOutside) {
  std::mt19937 random(2);
  const std::vector<Case> replies = every_reply();
  for (int round = 0; round < 3000; ++round) {
    const Case& reply = replies[random() % replies.size()];
    std::string body = reply.body;
    for (int i = 0; i < 3; ++i) body[random() % body.size()] = static_cast<char>(random());
    (void)decode_exactly(reply.decode, reply.type, body);
  }
}

TEST(Decode, AStatusWhereAValueWasHopedForIsTheServersError) {
  const std::string body = body_of(status_writer(kFxNoSuchFile));
  for (const Case& reply : every_reply()) {
    const Status status = decode_exactly(reply.decode, PacketType::kStatus, body);
    ASSERT_FALSE(status) << reply.name;
    EXPECT_TRUE(status.error().is_sftp(kFxNoSuchFile)) << reply.name;
    EXPECT_EQ(status.error().message(), "text");
  }
}

TEST(Decode, SuccessWithoutTheValueIsAProtocolError) {
  const std::string body = body_of(status_writer(kFxOk));
  for (const Case& reply : every_reply()) {
    if (reply.type == PacketType::kStatus) continue;
    const Status status = decode_exactly(reply.decode, PacketType::kStatus, body);
    ASSERT_FALSE(status) << reply.name;
    EXPECT_TRUE(status.error().is(ErrorCode::kProtocol)) << reply.name;
  }
}

TEST(Decode, StatusTextIsOptionalAndItsLengthBounded) {
  Writer bare(PacketType::kStatus);
  bare.u32(kFxFailure);
  const std::string without = body_of(std::move(bare));
  const Status plain = decode_status(Reply{PacketType::kStatus, as_byte_span(without)});
  ASSERT_FALSE(plain);
  EXPECT_TRUE(plain.error().is_sftp(kFxFailure));

  Writer long_text(PacketType::kStatus);
  long_text.u32(kFxFailure).string(std::string(5000, 'x')).string("en");
  const std::string with = body_of(std::move(long_text));
  const Status shortened = decode_status(Reply{PacketType::kStatus, as_byte_span(with)});
  ASSERT_FALSE(shortened);
  EXPECT_EQ(shortened.error().message().size(), 512U);
}

TEST(Decode, HandlesAreOneTo256BytesLong) {
  for (const std::size_t size : {0, 1, 256, 257}) {
    Writer writer(PacketType::kHandle);
    writer.string(std::string(size, 'h'));
    const std::string body = body_of(std::move(writer));
    const Result<Handle> handle = decode_handle(Reply{PacketType::kHandle, as_byte_span(body)});
    EXPECT_EQ(handle.has_value(), size == 1 || size == 256) << size;
  }
}

TEST(Decode, NamesThatNoDirectoryCanHoldAreDropped) {
  const std::string body = body_of(names_writer(
      {"good", "", ".", "..", "../etc/passwd", "/abs", std::string("nul\0byte", 8), "...", "b"}));
  const Result<NameList> list = decode_names(Reply{PacketType::kName, as_byte_span(body)});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->received, 9U);
  ASSERT_EQ(list->entries.size(), 3U);
  EXPECT_EQ(list->entries[0].name, "good");
  EXPECT_EQ(list->entries[0].attrs, some_attrs());
  EXPECT_EQ(list->entries[1].name, "...");
  EXPECT_EQ(list->entries[2].name, "b");
}

TEST(Decode, ANameCountAboveTheBytesIsRefusedBeforeMemoryIsTaken) {
  Writer writer(PacketType::kName);
  writer.u32(0xFFFFFFFF);
  const std::string body = body_of(std::move(writer));
  EXPECT_FALSE(decode_names(Reply{PacketType::kName, as_byte_span(body)}));
}

TEST(Decode, EofIsAnEmptyListing) {
  const std::string body = body_of(status_writer(kFxEof));
  const Result<NameList> list = decode_names(Reply{PacketType::kStatus, as_byte_span(body)});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->received, 0U);
}

TEST(Decode, APathIsExactlyOneNameWithoutNul) {
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{}, {"/a", "/b"}, {""}, {std::string("/a\0b", 4)}}) {
    const std::string body = body_of(names_writer(names));
    EXPECT_FALSE(decode_path(Reply{PacketType::kName, as_byte_span(body)}));
  }
}

TEST(Decode, ExtensionsCountOnlyInTheVersionWeKnow) {
  Writer writer(PacketType::kVersion);
  writer.string("statvfs@openssh.com").string("2").string("hardlink@openssh.com").string("1");
  writer.string("posix-rename@openssh.com").string("2").string("unknown").string("1");
  std::string body("\0\0\0\3", 4);
  body += body_of(std::move(writer));
  const Result<Version> version = decode_version(as_byte_span(body));
  ASSERT_TRUE(version);
  EXPECT_EQ(version->number, 3U);
  EXPECT_TRUE(version->extensions.statvfs);
  EXPECT_TRUE(version->extensions.hardlink);
  EXPECT_FALSE(version->extensions.posix_rename);
}

TEST(Decode, AVersionWithCutExtensionsKeepsTheWholeOnes) {
  Writer writer(PacketType::kVersion);
  writer.string("fsync@openssh.com").string("1").string("limits@openssh.com").string("1");
  std::string body("\0\0\0\3", 4);
  body += body_of(std::move(writer));
  body.pop_back();
  const Result<Version> version = decode_version(as_byte_span(body));
  ASSERT_TRUE(version);
  EXPECT_TRUE(version->extensions.fsync);
  EXPECT_FALSE(version->extensions.limits);
  for (std::size_t size = 0; size < 4; ++size) {
    EXPECT_FALSE(decode_version(as_byte_span(body.substr(0, size))));
  }
}

Limits limits_from(std::uint64_t packet, std::uint64_t read, std::uint64_t write) {
  Writer writer(PacketType::kExtendedReply);
  writer.u64(packet).u64(read).u64(write).u64(7);
  const std::string body = body_of(std::move(writer));
  const Result<Limits> limits =
      decode_limits(Reply{PacketType::kExtendedReply, as_byte_span(body)});
  EXPECT_TRUE(limits);
  return limits.value_or(Limits{});
}

TEST(Decode, LimitsAreMadeUsable) {
  const Limits openssh = limits_from(262144, 261120, 261120);
  EXPECT_EQ(openssh.packet_bytes_max, 262144U);
  EXPECT_EQ(openssh.read_bytes_max, 261120U);
  EXPECT_EQ(openssh.write_bytes_max, 261120U);
  EXPECT_EQ(openssh.handles_max, 7U);

  const Limits silent = limits_from(0, 0, 0);
  EXPECT_EQ(silent.packet_bytes_max, Limits{}.packet_bytes_max);
  EXPECT_GE(silent.read_bytes_max, 32768U);

  const Limits huge = limits_from(~0ULL, ~0ULL, ~0ULL);
  EXPECT_LE(huge.read_bytes_max, 256U * 1024);
  EXPECT_LE(huge.write_bytes_max + 1024, huge.packet_bytes_max);

  const Limits tiny = limits_from(1, 1, 1);
  EXPECT_EQ(tiny.read_bytes_max, 4096U);
  EXPECT_EQ(tiny.write_bytes_max, 4096U);
}

TEST(Decode, UserNamesThatAreMissingAreAnError) {
  Writer writer(PacketType::kExtendedReply);
  writer.string(std::string("\0\0\0\1u", 5)).string("");
  const std::string body = body_of(std::move(writer));
  const Reply reply{PacketType::kExtendedReply, as_byte_span(body)};
  EXPECT_TRUE(decode_users_groups(reply, 1, 0));
  EXPECT_FALSE(decode_users_groups(reply, 2, 0));
  EXPECT_FALSE(decode_users_groups(reply, 1, 1));
}

}  // namespace
}  // namespace sftpfs::sftp
