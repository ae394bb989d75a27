// How a conversation begins.
#include <gtest/gtest.h>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using sftp::PacketType;

class ClientStart : public ClientFixture {
 protected:
  Error start_error() {
    run();
    EXPECT_TRUE(started.has_value());
    if (!started) return Error(ErrorCode::kTimedOut, "still starting");
    EXPECT_FALSE(started->has_value());
    return started->has_value() ? Error(ErrorCode::kInvalid, "started") : started->error();
  }
};

TEST_F(ClientStart, ExchangesInitAndVersionAndAsksForTheLimits) {
  connect(100'000);
  EXPECT_TRUE(client->alive());
  EXPECT_TRUE(client->extensions().posix_rename);
  EXPECT_TRUE(client->extensions().copy_data);
  EXPECT_EQ(client->limits().read_bytes_max, 100'000U);
  EXPECT_EQ(client->limits().write_bytes_max, 100'000U);
  EXPECT_EQ(client->description(), "user@fake");
  EXPECT_EQ(client->stats().requests_in_flight, 0U);
}

TEST_F(ClientStart, WithoutLimitsTheProtocolsMinimumHolds) {
  connect(kPartBytes, sftp::extension::kLimits);
  EXPECT_FALSE(client->extensions().limits);
  EXPECT_EQ(client->limits().read_bytes_max, 32768U);
  EXPECT_TRUE(requests().empty());
}

TEST_F(ClientStart, AServerThatRefusesItsLimitsIsStillUsed) {
  begin_start();
  request();
  server.version();
  server.status(request().id, sftp::kFxOpUnsupported);
  run();
  ASSERT_TRUE(started && *started);
  EXPECT_EQ((**started)->limits().read_bytes_max, 32768U);
}

TEST_F(ClientStart, WorksOneByteAtATime) {
  far_end->set_piece_bytes(1);
  connect();
  auto call = client->realpath(".");
  server.names(request().id, {"/home/user"});
  EXPECT_EQ(finish(call).value(), "/home/user");
}

TEST_F(ClientStart, AGreetingIsQuotedInTheError) {
  begin_start();
  request();
  far_end->deliver("This account is not available.\n");
  const Error error = start_error();
  EXPECT_TRUE(error.is(ErrorCode::kProtocol));
  EXPECT_NE(error.message().find("This account is not available."), std::string::npos);
}

TEST_F(ClientStart, AGreetingTooShortForALengthIsQuotedAtTheEnd) {
  begin_start();
  request();
  far_end->deliver("no\n");
  far_end->end(Error(ErrorCode::kConnectionLost, "end of stream"));
  const Error error = start_error();
  EXPECT_NE(error.message().find("\"no\""), std::string::npos) << error.message();
}

TEST_F(ClientStart, AnEarlyEndNamesTheLikelyCause) {
  begin_start();
  request();
  far_end->end(Error(ErrorCode::kConnectionLost, "the server closed the channel"));
  const Error error = start_error();
  EXPECT_TRUE(error.is(ErrorCode::kConnectionLost));
  EXPECT_NE(error.message().find("the server closed the channel"), std::string::npos);
  EXPECT_NE(error.message().find("subsystem"), std::string::npos);
}

TEST_F(ClientStart, OtherVersionsAreRefused) {
  for (const std::uint32_t number : {2U, 4U}) {
    far_end = std::make_shared<FarEnd>();
    server = FakeServer(far_end);
    started.reset();
    begin_start();
    request();
    server.send(sftp::Writer(PacketType::kVersion, number).finish());
    const Error error = start_error();
    EXPECT_TRUE(error.is(ErrorCode::kUnsupported));
    EXPECT_NE(error.message().find(std::to_string(number)), std::string::npos);
    EXPECT_TRUE(far_end->released());
  }
}

TEST_F(ClientStart, AFailedAttachIsItsError) {
  far_end->fail_attach();
  begin_start();
  EXPECT_EQ(start_error().message(), "cannot attach");
  EXPECT_TRUE(far_end->released());
}

TEST_F(ClientStart, CancelEndsTheWaitForVersion) {
  const auto cancel = runtime::Cancel::create();
  begin_start(cancel.get());
  request();
  cancel->cancel(runtime::CancelReason::kTimedOut);
  EXPECT_TRUE(start_error().is(ErrorCode::kTimedOut));
  EXPECT_TRUE(far_end->released());
}

}  // namespace
}  // namespace sftpfs::test
