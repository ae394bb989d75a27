// Cutting the stream into packets, in pieces of any size.
#include "sftp/framer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "unit/sftp/fake_server.h"

namespace sftpfs::sftp {
namespace {

// Notes what the framer tells; gives DATA memory of its own unless told not to.
class RecordingSink final : public PacketSink {
 public:
  Status on_packet(PacketType type, ByteSpan body) override {
    log.push_back(packet_type_name(type) + ":" + std::to_string(body.size()));
    last_body.assign(reinterpret_cast<const char*>(body.data()), body.size());
    return {};
  }
  Status on_data_begin(std::uint32_t id, std::size_t bytes) override {
    log.push_back("DATA " + std::to_string(id) + ":" + std::to_string(bytes));
    if (bytes > refuse_above) return fail(ErrorCode::kProtocol, "too much");
    payload.assign(bytes, '.');
    return {};
  }
  MutableByteSpan data_destination(std::size_t position) override {
    if (dropping) return {};
    return std::as_writable_bytes(std::span<char>(payload)).subspan(position);
  }
  Status on_data_end() override {
    payloads.push_back(payload);
    return {};
  }

  std::vector<std::string> log;
  std::string last_body;
  std::string payload;
  std::vector<std::string> payloads;
  std::size_t refuse_above = 1 << 20;
  bool dropping = false;
};

std::string text_of(const Packet& packet) {
  return {reinterpret_cast<const char*>(packet.data()), packet.size()};
}
std::string version() { return text_of(test::openssh_version()); }
std::string data(std::uint32_t id, const std::string& bytes) {
  Writer writer(PacketType::kData);
  writer.string(bytes);
  Packet packet = std::move(writer).finish();
  stamp(packet, id);
  return text_of(packet);
}
std::string status(std::uint32_t text_bytes) {
  Writer writer(PacketType::kStatus);
  writer.u32(0).string(std::string(text_bytes, 's')).string("");
  return text_of(std::move(writer).finish());
}

// Feeds `stream` as read() would, at most `piece` bytes at a time.
Status feed(Framer& framer, std::string_view stream, std::size_t piece) {
  while (!stream.empty()) {
    std::size_t stored = 0;
    for (const iovec& part : framer.destination()) {
      const std::size_t count = std::min({part.iov_len, stream.size(), piece - stored});
      std::memcpy(part.iov_base, stream.data(), count);
      stream.remove_prefix(count);
      stored += count;
    }
    EXPECT_GT(stored, 0U);
    Status received = framer.received(stored);
    if (!received) return received;
  }
  return {};
}

TEST(Framer, AnyPiecesYieldTheSamePackets) {
  const std::string big(200'000, 'x');
  const std::string stream = version() + status(3) + data(1, "hello") + data(2, "") + data(3, big) +
                             status(100'000) + data(4, std::string(70'000, 'y')) + status(0);
  std::vector<std::string> expected;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7},
                                  std::size_t{4096}, std::size_t{65536}, std::size_t{1} << 30}) {
    RecordingSink sink;
    Framer framer(sink);
    ASSERT_TRUE(feed(framer, stream, piece)) << piece;
    if (expected.empty()) expected = sink.log;
    EXPECT_EQ(sink.log, expected) << piece;
    ASSERT_EQ(sink.payloads.size(), 4U);
    EXPECT_EQ(sink.payloads[0], "hello");
    EXPECT_EQ(sink.payloads[2], big);
    EXPECT_EQ(sink.payloads[3], std::string(70'000, 'y'));
  }
  EXPECT_EQ(expected.size(), 8U);
}

TEST(Framer, RandomPiecesOfRandomPacketsComeOutWhole) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    RecordingSink sink;
    Framer framer(sink);
    ASSERT_TRUE(feed(framer, version(), 1000));
    std::string stream;
    std::vector<std::string> payloads;
    for (int i = 0; i < 20; ++i) {
      if (random() % 3 == 0) {
        stream += status(static_cast<std::uint32_t>(random() % 90'000));
      } else {
        payloads.emplace_back(random() % 100'000, static_cast<char>('a' + i));
        stream += data(static_cast<std::uint32_t>(i), payloads.back());
      }
    }
    std::string_view rest = stream;
    while (!rest.empty()) {
      const std::size_t count = std::min<std::size_t>(rest.size(), 1 + random() % 70'000);
      ASSERT_TRUE(feed(framer, rest.substr(0, count), 1 + random() % 40'000));
      rest.remove_prefix(count);
    }
    EXPECT_EQ(sink.payloads, payloads);
  }
}

TEST(Framer, LongPayloadsGoStraightToTheirDestination) {
  RecordingSink sink;
  Framer framer(sink);
  ASSERT_TRUE(feed(framer, version(), 1000));
  const std::string packet = data(1, std::string(100'000, 'p'));
  ASSERT_TRUE(feed(framer, packet.substr(0, 13), 13));
  const std::span<const iovec> into = framer.destination();
  ASSERT_EQ(into.size(), 2U);
  EXPECT_EQ(into[0].iov_base, sink.payload.data());
  EXPECT_EQ(into[0].iov_len, 100'000U);
}

TEST(Framer, PayloadNobodyWantsIsDropped) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5000}, std::size_t{1} << 30}) {
    RecordingSink sink;
    Framer framer(sink);
    ASSERT_TRUE(feed(framer, version(), 1000));
    const std::string packet = data(1, std::string(150'000, 'p'));
    ASSERT_TRUE(feed(framer, packet.substr(0, 20'000), piece));
    const std::string so_far = sink.payload;
    sink.dropping = true;
    ASSERT_TRUE(feed(framer, packet.substr(20'000) + status(1), piece));
    EXPECT_EQ(sink.payload, so_far);
    EXPECT_EQ(sink.log.back(), "STATUS:17");
  }
}

TEST(Framer, AGreetingIsQuoted) {
  RecordingSink sink;
  Framer framer(sink);
  const Status failed = feed(framer, "Welcome to \x1b[31mbuild1\r\nHave fun\n", 1000);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().is(ErrorCode::kProtocol));
  EXPECT_NE(failed.error().message().find("\"Welcome to [31mbuild1 Have fun\""), std::string::npos)
      << failed.error().message();
}

TEST(Framer, ALongGreetingIsQuotedUpTo200Bytes) {
  RecordingSink sink;
  Framer framer(sink);
  const Status failed = feed(framer, std::string(10'000, 'G'), 20'000);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("\"" + std::string(200, 'G') + "\""), std::string::npos);
}

TEST(Framer, TextInTheMiddleIsQuotedToo) {
  RecordingSink sink;
  Framer framer(sink);
  const Status failed = feed(framer, version() + "Connection reset\n", 1 << 20);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("\"Connection reset\""), std::string::npos);
}

TEST(Framer, ImpossibleLengthsEndTheConversation) {
  const std::string hostile[] = {
      std::string("\0\0\0\0", 4),                         // empty
      std::string("\xff\xff\xff\xff", 4),                 // 4 GiB
      std::string("\0\x10\0\1\x68", 5),                   // above 1 MiB
      std::string("\0\5\0\0\x65", 5),                     // STATUS of 320 KiB
      std::string("\0\5\0\0\x67", 5),                     // DATA of 320 KiB
      std::string("\0\0\0\4\x65zzz", 8),                  // no room for an id
      std::string("\0\0\0\x0d\x67\0\0\0\1\0\0\0\5", 13),  // DATA whose count disagrees
      std::string("\0\0\0\5\x67\0\0\0\1\0\0\0\0", 13),    // DATA without a count
  };
  for (const std::string& bytes : hostile) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      RecordingSink sink;
      Framer framer(sink);
      ASSERT_TRUE(feed(framer, version(), 1000));
      const Status failed = feed(framer, bytes, piece);
      ASSERT_FALSE(failed);
      EXPECT_TRUE(failed.error().is(ErrorCode::kProtocol));
      EXPECT_EQ(sink.log.size(), 1U);
    }
  }
}

TEST(Framer, LongListingsAreAllowed) {
  RecordingSink sink;
  Framer framer(sink);
  Writer writer(PacketType::kName);
  writer.u32(1).string(std::string(900'000, 'n')).string("").u32(0);
  const std::string stream = version() + text_of(std::move(writer).finish()) + status(0);
  ASSERT_TRUE(feed(framer, stream, 60'000));
  EXPECT_EQ(sink.log.size(), 3U);
}

TEST(Framer, TheFirstPacketMustBeVersion) {
  RecordingSink sink;
  Framer framer(sink);
  const Status failed = feed(framer, status(10), 1000);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(sink.log.empty());
}

TEST(Framer, AnErrorOfTheSinkIsPassedOn) {
  RecordingSink sink;
  sink.refuse_above = 10;
  Framer framer(sink);
  ASSERT_TRUE(feed(framer, version(), 1000));
  const Status failed = feed(framer, data(1, std::string(11, 'x')), 1000);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "too much");
}

}  // namespace
}  // namespace sftpfs::sftp
