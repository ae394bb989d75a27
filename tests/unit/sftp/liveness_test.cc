// Noticing a server that has fallen silent.
#include "sftp/liveness.h"

#include <gtest/gtest.h>

#include <memory>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using std::chrono::seconds;

class LivenessTest : public ClientFixture {
 protected:
  static constexpr Duration kInterval = seconds(15);

  void SetUp() override {
    connect();
    liveness = std::make_unique<sftp::Liveness>(loop, *client, kInterval, 3, [this] {
      ++deaths;
      liveness.reset();
    });
  }
  void pass(Duration time) {
    clock.advance(time);
    run();
  }
  std::unique_ptr<sftp::Liveness> liveness;
  int deaths = 0;
};

TEST_F(LivenessTest, ATalkingServerIsNotPinged) {
  for (int i = 0; i < 20; ++i) {
    pass(seconds(10));
    auto call = client->lstat("/f");
    server.attrs(request().id, {});
    EXPECT_TRUE(finish(call));
  }
  EXPECT_EQ(deaths, 0);
}

TEST_F(LivenessTest, AnIdleServerThatAnswersLives) {
  for (int i = 0; i < 20; ++i) {
    pass(kInterval);
    for (const Received& received : server.take()) {
      EXPECT_EQ(received.type, sftp::PacketType::kRealpath);
      server.names(received.id, {"/home"});
    }
    run();
  }
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(client->alive());
}

TEST_F(LivenessTest, ASilentServerIsGivenUpAfterThreeIntervals) {
  pass(kInterval);
  EXPECT_EQ(request().first(), ".");
  pass(kInterval);
  pass(kInterval);
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(requests().empty());
  pass(kInterval);
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AnyByteIsASignOfLife) {
  for (int i = 0; i < 2; ++i) pass(kInterval);
  far_end->deliver(std::string("\0", 1));
  run();
  for (int i = 0; i < 3; ++i) pass(kInterval);
  EXPECT_EQ(deaths, 0);
}

TEST_F(LivenessTest, ASlowUploadIsNotDeath) {
  far_end->set_room(0);
  auto write = client->write("h", 0, SharedBytes::copy_of(as_byte_span(std::string(1 << 20, 'w'))));
  for (int i = 0; i < 20; ++i) {
    far_end->set_room(1000);
    pass(kInterval);
  }
  EXPECT_EQ(deaths, 0);
  for (int i = 0; i < 5; ++i) pass(kInterval);
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AfterASuspendOneIntervalIsEnough) {
  pass(std::chrono::hours(8));
  EXPECT_EQ(deaths, 0);
  EXPECT_EQ(request().first(), ".");
  pass(kInterval);
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AfterASuspendAnAnswerHeals) {
  pass(std::chrono::hours(8));
  server.names(request().id, {"/"});
  run();
  pass(kInterval);
  EXPECT_EQ(deaths, 0);
}

}  // namespace
}  // namespace sftpfs::test
