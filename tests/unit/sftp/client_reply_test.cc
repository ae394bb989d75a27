// Answers: what they become, and those that nobody wants any more.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::PacketType;

class ClientReply : public ClientFixture {
 protected:
  void SetUp() override { connect(); }
};

TEST_F(ClientReply, StatusOnlyOperationsYieldTheStatus) {
  std::vector<sftp::Call<void>> calls;
  calls.push_back(client->setstat("/f", {}));
  calls.push_back(client->fsetstat("h", {}));
  calls.push_back(client->lsetstat("/f", {}));
  calls.push_back(client->close("h"));
  calls.push_back(client->fsync("h"));
  calls.push_back(client->copy_data("a", 0, 0, "b", 0));
  calls.push_back(client->mkdir("/d", {}));
  calls.push_back(client->rmdir("/d"));
  calls.push_back(client->remove("/f"));
  calls.push_back(client->rename("/a", "/b"));
  calls.push_back(client->posix_rename("/a", "/b"));
  calls.push_back(client->hardlink("/a", "/b"));
  calls.push_back(client->symlink("target", "/link"));
  const std::vector<Received> sent = requests();
  ASSERT_EQ(sent.size(), calls.size());
  // Bulk (fsync, copy-data) is sent last, so answer by id and not by position.
  std::uint32_t code = sftp::kFxOk;
  std::vector<Received> by_id = sent;
  std::sort(by_id.begin(), by_id.end(),
            [](const Received& a, const Received& b) { return a.id < b.id; });
  for (const Received& received : by_id) server.status(received.id, code++ % 9);
  run();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Status status = result_of(calls[i]);
    if (i % 9 == sftp::kFxOk) {
      EXPECT_TRUE(status);
    } else {
      ASSERT_FALSE(status);
      EXPECT_TRUE(status.error().is_sftp(static_cast<std::uint32_t>(i % 9)));
    }
  }
}

TEST_F(ClientReply, SymlinkSendsTheTargetFirst) {
  auto call = client->symlink("target", "/link");
  EXPECT_EQ(request().first(), "target");
}

TEST_F(ClientReply, AMalformedReplyEndsOnlyItsOwnOperation) {
  auto bad = client->lstat("/bad");
  auto good = client->lstat("/good");
  const std::vector<Received> sent = requests();
  sftp::Writer cut(PacketType::kAttrs);
  cut.u32(sftp::kAttrSize);
  server.send(sent[0].id, std::move(cut));
  server.attrs(sent[1].id, {});
  EXPECT_TRUE(finish(bad).error().is(ErrorCode::kProtocol));
  EXPECT_TRUE(finish(good));
  EXPECT_TRUE(client->alive());
}

TEST_F(ClientReply, AListingSkipsRepliesOfDotsAlone) {
  auto call = client->readdir("d");
  server.names(request().id, {".", ".."});
  const Received again = request();
  EXPECT_EQ(again.type, PacketType::kReaddir);
  EXPECT_EQ(again.first(), "d");
  EXPECT_FALSE(call.done());
  server.names(again.id, {"name"});
  EXPECT_EQ(finish(call).value().at(0).name, "name");
}

TEST_F(ClientReply, AListingWithoutAnyUsableNameEndsWithAnError) {
  auto call = client->readdir("d");
  for (std::size_t i = 0; i < 5000 && !call.done(); ++i) {
    const std::vector<Received> sent = requests();
    if (sent.empty()) break;
    server.names(sent.at(0).id, {"."});
  }
  EXPECT_TRUE(finish(call).error().is(ErrorCode::kProtocol));
}

TEST_F(ClientReply, TheEndOfADirectoryIsAnEmptyList) {
  auto call = client->readdir("d");
  server.status(request().id, sftp::kFxEof);
  EXPECT_TRUE(finish(call).value().empty());
}

TEST_F(ClientReply, AnAbandonedOpenIsClosed) {
  client->open("/f", sftp::kOpenRead, {}).forget();
  server.handle(request().id, "h1");
  const Received close = request();
  EXPECT_EQ(close.type, PacketType::kClose);
  EXPECT_EQ(close.first(), "h1");
  server.status(close.id, sftp::kFxOk);
  run();
  EXPECT_TRUE(client->alive());
  EXPECT_EQ(client->stats().requests_in_flight, 0U);
}

TEST_F(ClientReply, AnAbandonedOpendirIsClosed) {
  client->opendir("/d").forget();
  server.handle(request().id, "d1");
  EXPECT_EQ(request().first(), "d1");
}

TEST_F(ClientReply, AnOpenWhoseResultNobodyTakesIsClosed) {
  {
    auto call = client->open("/f", sftp::kOpenRead, {});
    server.handle(request().id, "h2");
    run();
    EXPECT_TRUE(call.done());
  }
  EXPECT_EQ(request().first(), "h2");
}

TEST_F(ClientReply, ATakenHandleIsNotClosed) {
  {
    auto call = client->open("/f", sftp::kOpenRead, {});
    server.handle(request().id, "h3");
    EXPECT_EQ(finish(call).value(), "h3");
  }
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientReply, AFailedOpenIsNotClosed) {
  client->open("/f", sftp::kOpenRead, {}).forget();
  server.status(request().id, sftp::kFxPermissionDenied);
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientReply, ACancelledOpenEndsAtOnceAndIsClosedLater) {
  const auto cancel = runtime::Cancel::create();
  std::optional<Result<sftp::Handle>> result;
  loop.post([this, &cancel, &result] {
    runtime::spawn(await_into(client->open("/f", sftp::kOpenRead, {}), cancel.get(), result));
  });
  const Received open = request();
  cancel->cancel(runtime::CancelReason::kInterrupted);
  run();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kCancelled));
  server.handle(open.id, "late");
  EXPECT_EQ(request().first(), "late");
}

TEST_F(ClientReply, AWaitAfterCancelEndsWithoutSuspending) {
  const auto cancel = runtime::Cancel::create();
  cancel->cancel(runtime::CancelReason::kTimedOut);
  std::optional<Result<sftp::Attrs>> result;
  loop.post([this, &cancel, &result] {
    runtime::spawn(await_into(client->lstat("/f"), cancel.get(), result));
  });
  const Received lstat = request();
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->error().is(ErrorCode::kTimedOut));
  server.attrs(lstat.id, {});
  run();
  EXPECT_TRUE(client->alive());
}

TEST_F(ClientReply, AnOpenAnsweredAfterTheClientIsGoneIsHarmless) {
  auto call = client->open("/f", sftp::kOpenRead, {});
  server.handle(request().id, "h");
  run();
  client.reset();
  call.forget();
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientReply, DrainedEndsWithTheLastAnswer) {
  auto idle = client->drained();
  EXPECT_TRUE(result_of(idle));
  auto call = client->lstat("/f");
  auto drained = client->drained();
  const Received sent = request();
  EXPECT_FALSE(drained.done());
  server.attrs(sent.id, {});
  EXPECT_TRUE(finish(drained));
}

TEST_F(ClientReply, NamesOfIdsComeInTheOrderAskedFor) {
  auto call = client->users_groups_by_id({0, 7}, {5});
  sftp::Writer reply(PacketType::kExtendedReply);
  reply.string(std::string("\0\0\0\4root\0\0\0\0", 12)).string(std::string("\0\0\0\3adm", 7));
  server.send(request().id, std::move(reply));
  const auto names = finish(call);
  ASSERT_TRUE(names);
  EXPECT_EQ(names->users, (std::vector<std::string>{"root", ""}));
  EXPECT_EQ(names->groups, std::vector<std::string>{"adm"});
}

}  // namespace
}  // namespace sftpfs::test
