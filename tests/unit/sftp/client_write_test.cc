// write(): splitting and acknowledgement.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

class ClientWrite : public ClientFixture {
 protected:
  static constexpr std::size_t kPart = 4096;
  void SetUp() override { connect(kPart); }

  static SharedBytes shared(const std::string& text) {
    return SharedBytes::copy_of(as_byte_span(text));
  }
};

TEST_F(ClientWrite, LargeWritesAreSplitAndEndWithTheLastAcknowledgement) {
  const std::string data = pattern(10'000);
  auto call = client->write("h", 77, shared(data));
  const std::vector<Received> sent = requests();
  ASSERT_EQ(sent.size(), 3U);
  std::string written(10'000, '\0');
  for (const Received& received : sent) {
    const WriteRequest request = parse_write(received);
    EXPECT_LE(request.data.size(), kPart);
    written.replace(request.offset - 77, request.data.size(), request.data);
  }
  EXPECT_EQ(written, data);
  server.status(sent[2].id, sftp::kFxOk);
  server.status(sent[0].id, sftp::kFxOk);
  run();
  EXPECT_FALSE(call.done());
  server.status(sent[1].id, sftp::kFxOk);
  EXPECT_TRUE(finish(call));
}

TEST_F(ClientWrite, TheFirstErrorIsReportedWhenAllPartsAreAnswered) {
  auto call = client->write("h", 0, shared(pattern(10'000)));
  const std::vector<Received> sent = requests();
  server.status(sent[1].id, sftp::kFxFailure, "disk full");
  server.status(sent[0].id, sftp::kFxPermissionDenied);
  run();
  EXPECT_FALSE(call.done());
  server.status(sent[2].id, sftp::kFxOk);
  EXPECT_EQ(finish(call).error().message(), "disk full");
}

TEST_F(ClientWrite, AnEmptyWriteSucceedsWithoutARequest) {
  auto call = client->write("h", 0, SharedBytes());
  EXPECT_TRUE(result_of(call));
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientWrite, OffsetsThatOverflowAreRefused) {
  auto call = client->write("h", ~0ULL, shared("ab"));
  EXPECT_TRUE(result_of(call).error().is(ErrorCode::kInvalid));
}

TEST_F(ClientWrite, TheDataIsKeptUntilItIsAcknowledged) {
  auto owner = std::make_shared_for_overwrite<std::byte[]>(100);
  const std::weak_ptr<std::byte[]> weak = owner;
  const ByteSpan view(owner.get(), 100);
  auto call = client->write("h", 0, SharedBytes(std::move(owner), view));
  const Received sent = request();
  EXPECT_FALSE(weak.expired());
  server.status(sent.id, sftp::kFxOk);
  EXPECT_TRUE(finish(call));
  EXPECT_TRUE(weak.expired());
}

TEST_F(ClientWrite, AnAbandonedWriteIsStillSent) {
  client->write("h", 0, shared("data")).forget();
  EXPECT_EQ(parse_write(request()).data, "data");
}

TEST_F(ClientWrite, AWriteDuringWhichTheStreamBreaksEndsOnce) {
  far_end->fail_writes();
  auto call = client->write("h", 0, shared(pattern(600'000)));
  EXPECT_TRUE(finish(call).error().is(ErrorCode::kConnectionLost));
  EXPECT_FALSE(client->alive());
}

}  // namespace
}  // namespace sftpfs::test
