// The end of a conversation: everybody learns of it, nobody is called from inside another's turn.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::PacketType;

class ClientDeath : public ClientFixture {
 protected:
  void SetUp() override {
    connect();
    client->on_death([this] { ++deaths; });
  }
  // The conversation has ended with a protocol error whose text holds `text`.
  void expect_protocol_death(const std::string& text) {
    run();
    ASSERT_FALSE(client->alive());
    EXPECT_TRUE(client->cause_of_death().is(ErrorCode::kProtocol));
    EXPECT_NE(client->cause_of_death().message().find(text), std::string::npos)
        << client->cause_of_death().message();
    EXPECT_EQ(deaths, 1);
    EXPECT_TRUE(far_end->released());
  }
  int deaths = 0;
};

TEST_F(ClientDeath, EveryOpenCallEndsWithTheCause) {
  std::string into(600'000, '\0');
  auto stat = client->lstat("/f");
  auto open = client->open("/f", sftp::kOpenRead, {});
  auto read = client->read("h", 0, writable(into), 0);
  auto write = client->write("h", 0, SharedBytes::copy_of(as_byte_span(into)));
  auto list = client->readdir("d");
  auto drained = client->drained();
  run();
  far_end->end(Error(ErrorCode::kConnectionLost, "connection reset by peer"));
  const auto expect_lost = [this](auto& call) {
    const auto result = finish(call);
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ErrorCode::kConnectionLost));
    EXPECT_EQ(result.error().message(), "connection reset by peer");
  };
  expect_lost(stat);
  expect_lost(open);
  expect_lost(read);
  expect_lost(write);
  expect_lost(list);
  expect_lost(drained);
  EXPECT_EQ(deaths, 1);
  EXPECT_EQ(client->stats().requests_in_flight, 0U);
  EXPECT_TRUE(far_end->released());
}

TEST_F(ClientDeath, CallsAfterItEndAtOnce) {
  far_end->end(Error(ErrorCode::kConnectionLost, "gone"));
  run();
  auto stat = client->lstat("/f");
  EXPECT_TRUE(result_of(stat).error().is(ErrorCode::kConnectionLost));
  std::string into(10, '\0');
  auto read = client->read("h", 0, writable(into), 0);
  EXPECT_TRUE(result_of(read).error().is(ErrorCode::kConnectionLost));
  auto write = client->write("h", 0, SharedBytes::copy_of(as_byte_span(into)));
  EXPECT_TRUE(result_of(write).error().is(ErrorCode::kConnectionLost));
  EXPECT_EQ(deaths, 1);
}

TEST_F(ClientDeath, RepliesBeforeTheEndStillCount) {
  auto stat = client->lstat("/f");
  server.attrs(request().id, {});
  far_end->end(Error(ErrorCode::kConnectionLost, "gone"));
  EXPECT_TRUE(finish(stat));
  EXPECT_FALSE(client->alive());
}

TEST_F(ClientDeath, ABrokenWriteEndsIt) {
  far_end->fail_writes();
  auto stat = client->lstat("/f");
  EXPECT_EQ(finish(stat).error().message(), "broken pipe");
  EXPECT_EQ(deaths, 1);
}

TEST_F(ClientDeath, KillTellsTheCallsButNotTheOwner) {
  auto stat = client->lstat("/f");
  run();
  client->kill("no answer for 45 s");
  EXPECT_EQ(finish(stat).error().message(), "no answer for 45 s");
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(far_end->released());
}

TEST_F(ClientDeath, DestroyingTheClientEndsItsCalls) {
  std::optional<Result<sftp::Attrs>> result;
  loop.post([this, &result] { runtime::spawn(await_into(client->lstat("/f"), nullptr, result)); });
  run();
  client.reset();
  EXPECT_TRUE(far_end->released());
  run();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kConnectionLost));
  EXPECT_EQ(deaths, 0);
}

TEST_F(ClientDeath, TheOwnerMayDestroyTheClientWhenTold) {
  client->on_death([this] { client.reset(); });
  far_end->end(Error(ErrorCode::kConnectionLost, "gone"));
  run();
  EXPECT_EQ(client, nullptr);
}

TEST_F(ClientDeath, WhoAsksLateIsToldToo) {
  far_end->end(Error(ErrorCode::kConnectionLost, "gone"));
  run();
  int late = 0;
  client->on_death([&late] { ++late; });
  EXPECT_EQ(late, 0);
  run();
  EXPECT_EQ(late, 1);
}

TEST_F(ClientDeath, AnAnswerNobodyAskedForEndsIt) {
  server.status(12345, sftp::kFxOk);
  expect_protocol_death("12345");
}

TEST_F(ClientDeath, ASecondAnswerEndsIt) {
  auto stat = client->lstat("/f");
  const Received sent = request();
  server.attrs(sent.id, {});
  server.attrs(sent.id, {});
  expect_protocol_death("ATTRS");
  EXPECT_TRUE(result_of(stat));
}

TEST_F(ClientDeath, AnAnswerToARequestNotYetSentEndsIt) {
  auto first = client->lstat("/f");
  const Received sent = request();
  far_end->set_room(0);
  auto second = client->lstat("/g");
  run();
  server.attrs(sent.id + 1, {});
  expect_protocol_death("does not wait");
}

TEST_F(ClientDeath, AnAnswerOfTheWrongTypeEndsIt) {
  auto stat = client->lstat("/f");
  server.handle(request().id, "h");
  expect_protocol_death("HANDLE where ATTRS");
  EXPECT_TRUE(result_of(stat).error().is(ErrorCode::kConnectionLost));
}

TEST_F(ClientDeath, DataForARequestThatIsNoReadEndsIt) {
  auto stat = client->lstat("/f");
  server.data(request().id, "x");
  expect_protocol_death("DATA where ATTRS");
}

TEST_F(ClientDeath, ASecondVersionEndsIt) {
  server.version();
  expect_protocol_death("VERSION");
}

TEST_F(ClientDeath, AHostileLengthEndsIt) {
  far_end->deliver(std::string("\x7f\0\0\0", 4));
  expect_protocol_death("not possible");
}

TEST_F(ClientDeath, ARequestFromTheServerEndsIt) {
  sftp::Packet packet = sftp::encode_path(PacketType::kStat, "/x");
  server.send(packet);
  expect_protocol_death("STAT");
}

// Whatever a server sends: no crash, every call ends when the stream does, and the memory of
// reads is not left.
TEST_F(ClientDeath, RandomBytesOnlyEndTheConversation) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    client.reset();
    far_end = std::make_shared<FarEnd>();
    server = FakeServer(far_end);
    started.reset();
    connect();
    std::mt19937 random(seed);
    const auto memory = std::make_unique<char[]>(5000);
    const MutableByteSpan into = std::as_writable_bytes(std::span<char>(memory.get(), 5000));
    auto read = client->read("h", 0, into, 0);
    auto stat = client->lstat("/f");
    auto list = client->readdir("d");
    const std::vector<Received> sent = requests();
    for (int i = 0; i < 8; ++i) {
      sftp::Writer writer(
          static_cast<PacketType>(random() % 4 == 0 ? random() % 256 : 101 + random() % 5));
      for (std::size_t words = random() % 8; words > 0; --words) {
        writer.u32(random() % 3 == 0 ? static_cast<std::uint32_t>(random()) : random() % 16);
      }
      server.send(sent[random() % sent.size()].id, std::move(writer));
      run();
    }
    far_end->end(Error(ErrorCode::kConnectionLost, "end"));
    run();
    EXPECT_TRUE(read.done() && stat.done() && list.done()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sftpfs::test
