// Noticing a server that has fallen silent.
#include "sftp/liveness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "unit/sftp/client_fixture.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LivenessTest : public ClientFixture {
 protected:
  static constexpr Duration kInterval = seconds(15);

  void SetUp() override {
    connect();
    watch(3);
  }
  void watch(int missed_max) {
    liveness = std::make_unique<sftp::Liveness>(loop, *client, kInterval, missed_max, [this] {
      ++deaths;
      liveness.reset();
    });
  }
  void pass(Duration time) {
    clock.advance(time);
    run();
  }
  void kinds_of_ages(std::pair<Duration, int> limits) {
    liveness = std::make_unique<sftp::Liveness>(loop, *client, limits.first, limits.second,
                                                [this] { ++deaths; });
    for (int day = 0; day < 30; ++day) pass(std::chrono::hours(24));
    EXPECT_EQ(deaths, 0);
  }
  // In the steps of a loop that is never late.
  void pass_quietly(Duration time) {
    const TimePoint end = clock.now() + time;
    while (clock.now() < end) {
      const TimePoint next = std::min(end, loop.next_deadline().value_or(end));
      pass(next - clock.now());
    }
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

TEST_F(LivenessTest, ASilentServerIsGivenUpThreeIntervalsAfterItsLastWord) {
  pass_quietly(kInterval);
  EXPECT_EQ(request().first(), ".");
  pass_quietly(2 * kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(requests().empty());
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, OneMissedPingLeavesTimeForItsAnswer) {
  watch(1);
  pass_quietly(2 * kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AnIntervalOfAgesNeverEnds) {
  kinds_of_ages({std::chrono::seconds(0xffffffff), 1'000'000});
  kinds_of_ages({seconds(15), 1'000'000'000});
}

TEST_F(LivenessTest, AnyByteIsASignOfLife) {
  pass_quietly(3 * kInterval - milliseconds(1));
  far_end->deliver(std::string("\0", 1));
  run();
  pass_quietly(3 * kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, RequestsInFlightChangeNothing) {
  auto call = client->lstat("/f");
  pass_quietly(3 * kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  EXPECT_FALSE(call.done());
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, ASlowUploadIsNotDeath) {
  far_end->set_room(0);
  auto write = client->write("h", 0, SharedBytes::copy_of(as_byte_span(std::string(1 << 20, 'w'))));
  for (int i = 0; i < 80; ++i) {
    far_end->set_room(1000);
    pass(kInterval / 4);
  }
  EXPECT_EQ(deaths, 0);
}

TEST_F(LivenessTest, OutputThatIsStuckIsDeath) {
  far_end->set_room(0);
  auto write = client->write("h", 0, SharedBytes::copy_of(as_byte_span(std::string(1 << 20, 'w'))));
  pass_quietly(3 * kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, BytesThatStayInOurOwnBuffersAreNoSignOfLife) {
  far_end->take_without_delivering();
  for (TimePoint end = clock.now() + 3 * kInterval; clock.now() < end; pass(seconds(1))) {
    client->write("h", 0, SharedBytes::copy_of(as_byte_span(std::string(1000, 'w')))).forget();
  }
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AStalledServerThatComesBackInTimeLives) {
  for (int i = 0; i < 10; ++i) {
    auto call = client->lstat("/f");
    pass_quietly(3 * kInterval - seconds(1));
    for (const Received& received : server.take()) server.status(received.id, sftp::kFxFailure);
    run();
    EXPECT_TRUE(call.done());
  }
  EXPECT_EQ(deaths, 0);
}

TEST_F(LivenessTest, AProbeThatIsAnsweredInTimeLives) {
  liveness->probe();
  pass(milliseconds(900));
  server.names(request().id, {"/"});
  run();
  pass_quietly(kInterval);
  EXPECT_EQ(deaths, 0);
  EXPECT_EQ(request().first(), ".");
}

TEST_F(LivenessTest, AProbeIsGivenUpAfterASecond) {
  liveness->probe();
  pass(milliseconds(999));
  EXPECT_EQ(deaths, 0);
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AProbeWaitsForFourRoundTrips) {
  auto call = client->lstat("/f");
  const Received first = request();
  pass(seconds(12));  // what was measured while connecting is forgotten
  server.attrs(first.id, {});
  EXPECT_TRUE(finish(call));
  auto again = client->lstat("/f");
  const Received second = request();
  pass(seconds(12));
  server.attrs(second.id, {});
  EXPECT_TRUE(finish(again));
  ASSERT_EQ(client->link().round_trip, seconds(12));
  liveness->probe();
  pass(seconds(47));
  EXPECT_EQ(deaths, 0);
  pass(seconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, WhatLayUnreadBeforeTheSuspendIsNoAnswer) {
  liveness->probe();
  far_end->deliver(std::string("\0", 1));
  pass(milliseconds(1));
  pass(milliseconds(999));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AProbeWaitsOnWhileDataComeIn) {
  auto call = client->lstat("/f");
  const Received asked = request();
  liveness->probe();
  pass(milliseconds(800));
  server.attrs(asked.id, {});
  pass(milliseconds(200));
  EXPECT_EQ(deaths, 0);
  EXPECT_TRUE(finish(call));
  pass(seconds(1));
  EXPECT_EQ(deaths, 1);
}

TEST_F(LivenessTest, AProcessThatStoodStillListensBeforeItJudges) {
  pass(std::chrono::hours(8));
  EXPECT_EQ(deaths, 0);
  server.names(request().id, {"/"});
  run();
  pass(kInterval);
  EXPECT_EQ(deaths, 0);
}

TEST_F(LivenessTest, AfterStandingStillOneIntervalIsEnough) {
  pass(std::chrono::hours(8));
  EXPECT_EQ(request().first(), ".");
  pass(kInterval - milliseconds(1));
  EXPECT_EQ(deaths, 0);
  pass(milliseconds(1));
  EXPECT_EQ(deaths, 1);
}

}  // namespace
}  // namespace sftpfs::test
