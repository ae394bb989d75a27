// read(): splitting, short answers, the end of the file, holes, and memory given up.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::PacketType;

class ClientRead : public ClientFixture {
 protected:
  static constexpr std::size_t kPart = 4096;

  void SetUp() override { connect(kPart); }

  sftp::Call<std::size_t> read(std::size_t bytes, std::uint64_t known_size,
                               std::uint64_t offset = 0) {
    into.assign(bytes, '.');
    return client->read("h", offset, writable(into), known_size);
  }
  // Answers as a server does that has `file`.
  void serve(const Received& received) {
    const ReadRequest asked = parse_read(received);
    if (asked.offset >= file.size()) {
      server.status(received.id, sftp::kFxEof);
    } else {
      server.data(received.id, file.substr(asked.offset, asked.length));
    }
  }
  // Serves everything and returns how many requests that took.
  std::size_t serve_all() {
    std::size_t count = 0;
    for (std::vector<Received> sent = requests(); !sent.empty(); sent = requests()) {
      for (const Received& received : sent) serve(received);
      count += sent.size();
    }
    return count;
  }

  std::string file;
  std::string into;
};

TEST_F(ClientRead, LargeReadsAreSplitAndAskedForAtOnce) {
  file = pattern(10'000);
  auto call = read(10'000, 0);
  const std::vector<Received> sent = requests();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(parse_read(sent[0]).length, kPart);
  EXPECT_EQ(parse_read(sent[1]).offset, kPart);
  EXPECT_EQ(parse_read(sent[2]).length, 10'000 - 2 * kPart);
  // Last part first: each goes to its own place.
  for (auto received = sent.rbegin(); received != sent.rend(); ++received) serve(*received);
  EXPECT_EQ(finish(call).value(), 10'000U);
  EXPECT_EQ(into, file);
}

TEST_F(ClientRead, AShortAnswerIsNotTheEnd) {
  file = pattern(3000);
  auto call = read(3000, 3000);
  server.data(request().id, file.substr(0, 1000));
  const Received rest = request();
  EXPECT_EQ(parse_read(rest).offset, 1000U);
  EXPECT_EQ(parse_read(rest).length, 2000U);
  server.data(rest.id, file.substr(1000));
  EXPECT_EQ(finish(call).value(), 3000U);
  EXPECT_EQ(into, file);
}

TEST_F(ClientRead, TheKnownEndNeedsNoFurtherRequest) {
  file = pattern(1500);
  auto call = read(4000, 1500);
  EXPECT_EQ(serve_all(), 1U);
  EXPECT_EQ(finish(call).value(), 1500U);
  EXPECT_EQ(into.substr(0, 1500), file);
}

TEST_F(ClientRead, PartsBehindTheKnownEndAreNotAskedFor) {
  file = pattern(1500);
  auto call = read(100'000, 1500);
  EXPECT_EQ(serve_all(), 1U);
  EXPECT_EQ(finish(call).value(), 1500U);

  file = pattern(2 * kPart);
  auto exact = read(100'000, 2 * kPart);
  EXPECT_EQ(serve_all(), 2U);
  EXPECT_EQ(finish(exact).value(), 2 * kPart);
}

TEST_F(ClientRead, AnUnknownSizeIsReadUpToTheServersEnd) {
  file = pattern(1500);
  auto call = read(4000, 0);
  EXPECT_EQ(serve_all(), 2U);
  EXPECT_EQ(finish(call).value(), 1500U);
}

TEST_F(ClientRead, AFileThatGrewIsReadOn) {
  file = pattern(10'000);
  auto call = read(10'000, 1500);
  serve_all();
  EXPECT_EQ(finish(call).value(), 10'000U);
  EXPECT_EQ(into, file);
}

TEST_F(ClientRead, AFileThatShrankEndsEarlier) {
  file = pattern(700);
  auto call = read(4000, 1500);
  EXPECT_EQ(serve_all(), 2U);
  EXPECT_EQ(finish(call).value(), 700U);
}

TEST_F(ClientRead, ReadingBehindTheEndYieldsNothing) {
  auto call = read(100, 50, 50);
  server.status(request().id, sftp::kFxEof);
  EXPECT_EQ(finish(call).value(), 0U);
}

TEST_F(ClientRead, NothingIsAskedForNothing) {
  auto call = read(0, 100);
  EXPECT_EQ(result_of(call).value(), 0U);
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientRead, AnEmptyAnswerIsTheEnd) {
  auto call = read(100, 0);
  server.data(request().id, "");
  EXPECT_EQ(finish(call).value(), 0U);
}

TEST_F(ClientRead, AHoleBeforeLaterDataIsAskedForAgain) {
  file = pattern(2 * kPart);
  auto call = read(2 * kPart, 0);
  const std::vector<Received> sent = requests();
  ASSERT_EQ(sent.size(), 2U);
  server.status(sent[0].id, sftp::kFxEof);  // then the file grew
  serve(sent[1]);
  const Received again = request();
  EXPECT_EQ(parse_read(again).offset, 0U);
  EXPECT_EQ(parse_read(again).length, kPart);
  serve(again);
  EXPECT_EQ(finish(call).value(), 2 * kPart);
  EXPECT_EQ(into, file);
}

TEST_F(ClientRead, AHoleThatStaysEndsTheRead) {
  file = pattern(2 * kPart);
  auto call = read(2 * kPart, 0);
  const std::vector<Received> sent = requests();
  server.data(sent[0].id, file.substr(0, 10));
  serve(sent[1]);
  server.status(request().id, sftp::kFxEof);  // the rest of the first part
  server.status(request().id, sftp::kFxEof);  // and again
  EXPECT_EQ(finish(call).value(), 10U);
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientRead, AnErrorBeforeTheEndIsTheResult) {
  file = pattern(2 * kPart);
  auto call = read(3 * kPart, 0);
  const std::vector<Received> sent = requests();
  server.status(sent[2].id, sftp::kFxEof);
  server.status(sent[1].id, sftp::kFxFailure, "I/O error");
  run();
  EXPECT_FALSE(call.done());
  serve(sent[0]);
  EXPECT_EQ(finish(call).error().message(), "I/O error");
}

TEST_F(ClientRead, AnErrorBehindTheEndIsNot) {
  auto call = read(2 * kPart, 0);
  const std::vector<Received> sent = requests();
  server.status(sent[1].id, sftp::kFxFailure);
  server.status(sent[0].id, sftp::kFxEof);
  EXPECT_EQ(finish(call).value(), 0U);
}

TEST_F(ClientRead, OffsetsThatOverflowAreRefused) {
  auto call = read(100, 0, ~0ULL - 50);
  EXPECT_TRUE(finish(call).error().is(ErrorCode::kInvalid));
}

TEST_F(ClientRead, AnAbandonedReadLeavesItsMemoryAlone) {
  auto call = read(1000, 0);
  const Received sent = request();
  call.forget();
  server.data(sent.id, std::string(1000, 'x'));
  run();
  EXPECT_EQ(into, std::string(1000, '.'));
  EXPECT_TRUE(client->alive());
}

TEST_F(ClientRead, AReadAbandonedHalfWayIsNotWrittenFurther) {
  auto call = read(4000, 0);
  const Received sent = request();
  sftp::Writer writer(PacketType::kData);
  writer.string(std::string(4000, 'x'));
  sftp::Packet packet = std::move(writer).finish();
  sftp::stamp(packet, sent.id);
  far_end->deliver(ByteSpan(packet).first(1013));
  run();
  EXPECT_EQ(std::count(into.begin(), into.end(), 'x'), 1000);
  call.forget();
  into.assign(4000, '.');
  far_end->deliver(ByteSpan(packet).subspan(1013));
  run();
  EXPECT_EQ(into, std::string(4000, '.'));
  auto stat = client->lstat("/f");
  server.attrs(request().id, {});
  EXPECT_TRUE(finish(stat));
}

TEST_F(ClientRead, ACancelledReadLeavesItsMemoryAlone) {
  const auto cancel = runtime::Cancel::create();
  into.assign(2000, '.');
  std::optional<Result<std::size_t>> result;
  loop.post([this, &cancel, &result] {
    runtime::spawn(await_into(client->read("h", 0, writable(into), 0), cancel.get(), result));
  });
  const Received sent = request();
  cancel->cancel(runtime::CancelReason::kInterrupted);
  run();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kCancelled));
  server.data(sent.id, std::string(100, 'x'));
  EXPECT_TRUE(requests().empty());
  EXPECT_EQ(into, std::string(2000, '.'));
}

TEST_F(ClientRead, MoreDataThanAskedForEndsTheSession) {
  auto call = read(100, 0);
  server.data(request().id, std::string(101, 'x'));
  EXPECT_TRUE(finish(call).error().is(ErrorCode::kConnectionLost));
  EXPECT_FALSE(client->alive());
  EXPECT_EQ(into, std::string(100, '.'));
}

// Any server that answers with some of what it has, in any order, in any pieces: the bytes read
// are those of the file.
TEST_F(ClientRead, AnyHonestServerYieldsTheFile) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    file = pattern(random() % 40'000, seed);
    const std::size_t offset = random() % 10'000;
    const std::size_t bytes = random() % 30'000;
    const std::uint64_t known_size = random() % 2 == 0 ? file.size() : random() % 40'000;
    far_end->set_piece_bytes(1 + random() % 9000);
    auto call = read(bytes, known_size, offset);
    std::vector<Received> waiting = requests();
    while (!waiting.empty()) {
      const std::size_t pick = random() % waiting.size();
      const ReadRequest asked = parse_read(waiting[pick]);
      if (asked.offset >= file.size()) {
        server.status(waiting[pick].id, sftp::kFxEof);
      } else {
        const std::size_t some = random() % 3 == 0 ? 1 + random() % asked.length : asked.length;
        server.data(waiting[pick].id, file.substr(asked.offset, some));
      }
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(pick));
      for (Received& received : requests()) waiting.push_back(std::move(received));
    }
    const Result<std::size_t> result = finish(call);
    ASSERT_TRUE(result) << "seed " << seed;
    const std::string expected = offset < file.size() ? file.substr(offset, bytes) : "";
    // Ending exactly at the size the caller believed in is allowed, anywhere else is not.
    const bool whole = *result == expected.size();
    EXPECT_TRUE(whole || offset + *result == known_size) << "seed " << seed;
    EXPECT_EQ(into.substr(0, *result), expected.substr(0, *result)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sftpfs::test
