// What leaves the client, when, and in which order.
#include <gtest/gtest.h>

#include <vector>

#include "sftp/request_table.h"
#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::PacketType;
using sftp::Queue;

class ClientSend : public ClientFixture {
 protected:
  void SetUp() override { connect(); }

  static SharedBytes bytes(std::size_t count, char fill = 'w') {
    return SharedBytes::copy_of(as_byte_span(std::string(count, fill)));
  }
  std::vector<PacketType> types() {
    std::vector<PacketType> result;
    for (const Received& received : requests()) result.push_back(received.type);
    return result;
  }
};

TEST_F(ClientSend, RequestsOfOneTurnLeaveTogetherAndUnanswered) {
  std::vector<sftp::Call<sftp::Attrs>> calls;
  const std::size_t writes_before = far_end->writes();
  for (int i = 0; i < 50; ++i) calls.push_back(client->lstat("/f" + std::to_string(i)));
  const std::vector<Received> sent = requests();
  ASSERT_EQ(sent.size(), 50U);
  EXPECT_EQ(far_end->writes(), writes_before + 1);
  EXPECT_EQ(client->stats().requests_in_flight, 50U);
  for (std::size_t i = 0; i < sent.size(); ++i)
    EXPECT_EQ(sent[i].first(), "/f" + std::to_string(i));
}

TEST_F(ClientSend, AnswersMayComeInAnyOrder) {
  auto first = client->lstat("/first");
  auto second = client->lstat("/second");
  const std::vector<Received> sent = requests();
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrSize;
  attrs.size = 2;
  server.attrs(sent[1].id, attrs);
  run();
  EXPECT_FALSE(first.done());
  EXPECT_EQ(result_of(second).value().size, 2U);
  server.status(sent[0].id, sftp::kFxNoSuchFile, "none");
  EXPECT_TRUE(finish(first).error().is_sftp(sftp::kFxNoSuchFile));
}

TEST_F(ClientSend, MetadataOvertakesBulkThatTheStreamHasNotTaken) {
  far_end->set_room(1000);
  auto write = client->write("h", 0, bytes(600'000));
  run();
  auto stat = client->lstat("/urgent");
  far_end->set_room(FarEnd::kUnlimited);
  // The first WRITE had been begun, so it comes first; the others wait.
  const std::vector<PacketType> expected = {PacketType::kWrite, PacketType::kLstat,
                                            PacketType::kWrite, PacketType::kWrite};
  EXPECT_EQ(types(), expected);
}

TEST_F(ClientSend, BulkKeepsItsOrder) {
  far_end->set_room(0);
  auto write = client->write("h", 0, bytes(10));
  auto fstat = client->fstat("h", Queue::kBulk);
  auto read_back = std::string(10, '\0');
  auto read = client->read("h", 0, writable(read_back), 0, Queue::kBulk);
  auto fsetstat = client->fsetstat("h", {}, Queue::kBulk);
  auto fsync = client->fsync("h");
  auto close = client->close("h", Queue::kBulk);
  run();
  auto stat = client->stat("/m");
  far_end->set_room(FarEnd::kUnlimited);
  const std::vector<PacketType> expected = {
      PacketType::kStat,     PacketType::kWrite,    PacketType::kFstat, PacketType::kRead,
      PacketType::kFsetstat, PacketType::kExtended, PacketType::kClose};
  EXPECT_EQ(types(), expected);
}

TEST_F(ClientSend, ShortWritesOfTheStreamLoseNothing) {
  const std::string data = pattern(700'000);
  auto write = client->write("h", 5, SharedBytes::copy_of(as_byte_span(data)));
  std::vector<sftp::Call<sftp::Attrs>> calls;
  std::vector<Received> sent;
  for (std::size_t room = 1; sent.size() < 23; room = room * 2 % 65'537) {
    if (calls.size() < 20) calls.push_back(client->lstat("/x"));
    far_end->set_room(room);
    for (Received& received : requests()) sent.push_back(std::move(received));
  }
  std::string written(data.size() + 5, '\0');
  for (const Received& received : sent) {
    if (received.type != PacketType::kWrite) continue;
    const WriteRequest request = parse_write(received);
    written.replace(request.offset, request.data.size(), request.data);
  }
  EXPECT_EQ(written.substr(5), data);
}

TEST_F(ClientSend, MuchDataLeavesBeforeTheTurnEnds) {
  auto write = client->write("h", 0, bytes(600'000));
  // No turn has run since.
  EXPECT_FALSE(server.take().empty());
}

TEST_F(ClientSend, ExtensionsTheServerLacksAreNotSent) {
  client.reset();
  far_end = std::make_shared<FarEnd>();
  server = FakeServer(far_end);
  started.reset();
  begin_start();
  request();
  server.send(sftp::Writer(PacketType::kVersion, 3).finish());
  run();
  client = std::move(**started);
  auto expect_unsupported = [this](auto call) {
    EXPECT_TRUE(finish(call).error().is(ErrorCode::kUnsupported));
  };
  expect_unsupported(client->lsetstat("/f", {}));
  expect_unsupported(client->fsync("h"));
  expect_unsupported(client->copy_data("a", 0, 0, "b", 0));
  expect_unsupported(client->posix_rename("a", "b"));
  expect_unsupported(client->hardlink("a", "b"));
  expect_unsupported(client->expand_path("~"));
  expect_unsupported(client->home_directory("u"));
  expect_unsupported(client->statvfs("/"));
  expect_unsupported(client->fstatvfs("h"));
  expect_unsupported(client->users_groups_by_id({1}, {2}));
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientSend, APathAboveThePacketLimitIsRefusedAlone) {
  auto call = client->lstat(std::string(300'000, 'p'));
  EXPECT_TRUE(finish(call).error().is(ErrorCode::kInvalid));
  EXPECT_TRUE(requests().empty());
  EXPECT_TRUE(client->alive());
}

TEST_F(ClientSend, TheTableOfRequestsIsBounded) {
  far_end->set_room(0);
  std::vector<sftp::Call<sftp::Attrs>> calls;
  for (std::size_t i = 0; i < sftp::RequestTable::kRequestsMax; ++i) {
    calls.push_back(client->lstat("/x"));
  }
  auto over = client->lstat("/x");
  EXPECT_TRUE(result_of(over).error().is(ErrorCode::kBusy));
  std::string into(10, '\0');
  auto read = client->read("h", 0, writable(into), 0);
  EXPECT_TRUE(result_of(read).error().is(ErrorCode::kBusy));
  auto write = client->write("h", 0, bytes(10));
  EXPECT_TRUE(result_of(write).error().is(ErrorCode::kBusy));
}

TEST_F(ClientSend, OutputPendingTellsWhetherAllHasLeft) {
  far_end->set_room(10);
  auto call = client->lstat("/x");
  run();
  EXPECT_TRUE(client->output_pending());
  far_end->set_room(FarEnd::kUnlimited);
  run();
  EXPECT_FALSE(client->output_pending());
}

TEST_F(ClientSend, TheLinkIsMeasured) {
  // Long enough to forget the greeting, which took no time at all.
  clock.advance(std::chrono::seconds(30));
  auto call = client->lstat("/x");
  const Received sent = request();
  clock.advance(std::chrono::milliseconds(40));
  server.attrs(sent.id, {});
  run();
  EXPECT_EQ(client->link().round_trip, std::chrono::milliseconds(40));
}

}  // namespace
}  // namespace sftpfs::test
