// How many connections a pool opens, and when.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fs/options.h"
#include "fs/worker.h"
#include "unit/sftp/session_fixture.h"

namespace sftpfs::fs {
namespace {

class SessionPoolTest : public ::testing::Test {
 protected:
  SessionPoolTest() : connector(std::make_shared<test::FakeConnector>()) {
    options.workers = 1;
    options.max_conns = 8;
    pool = std::make_unique<SessionPool>(options, clock, connector);
    loop().post([this] { pool->first_slot().open(); });
    run();
    answer(0);
  }
  ~SessionPoolTest() override {
    loop().post([this] {
      for (const auto& slot : pool->slots()) slot->session().close();
    });
    run();
  }

  runtime::Loop& loop() { return pool->workers().front()->loop(); }
  void run() { loop().run_ready(); }
  // The server of the given connection introduces itself.
  void answer(std::size_t connection) {
    test::FakeServer(connector->ends.at(connection)).version(sftp::extension::kLimits);
    run();
  }

  Options options;
  ManualClock clock;
  std::shared_ptr<test::FakeConnector> connector;
  std::unique_ptr<SessionPool> pool;
};

TEST_F(SessionPoolTest, OneConnectionIsEnoughWithoutLoad) {
  pool->pick();
  run();
  EXPECT_EQ(connector->attempts, 1);
}

TEST_F(SessionPoolTest, UnderLoadOneMoreIsOpenedAtATime) {
  const Lease one(pool->pick());
  const Lease two(pool->pick());
  for (int i = 0; i < 3; ++i) pool->pick();
  run();
  EXPECT_EQ(connector->attempts, 2);
  answer(1);
  EXPECT_EQ(connector->attempts, 2) << "the new one has no load yet";
}

TEST_F(SessionPoolTest, ABigTransferOpensThreeAtATimeUntilAllServe) {
  pool->grow();
  run();
  EXPECT_EQ(connector->attempts, 4) << "the first, and three more";
  pool->grow();
  run();
  EXPECT_EQ(connector->attempts, 4) << "asking again changes nothing";
  answer(2);
  EXPECT_EQ(connector->attempts, 5) << "whichever is ready makes room";
  for (const std::size_t connection : {1U, 3U, 4U, 5U, 6U, 7U}) answer(connection);
  EXPECT_EQ(connector->attempts, 8);
  for (const auto& slot : pool->slots()) EXPECT_TRUE(slot->ready()) << slot->index();
}

TEST_F(SessionPoolTest, OneThatFailsLeavesItsPlaceToItsNextAttempt) {
  connector->error = Error(ErrorCode::kConnectionLost, "refused");
  pool->grow();
  run();
  EXPECT_EQ(connector->attempts, 4);
  run();
  EXPECT_EQ(connector->attempts, 4) << "no further connection is tried meanwhile";
}

}  // namespace
}  // namespace sftpfs::fs
