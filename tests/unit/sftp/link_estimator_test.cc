// What is learnt about the link, in simulated time.
#include "sftp/link_estimator.h"

#include <gtest/gtest.h>

namespace sftpfs::sftp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1024 * 1024;

class LinkEstimatorTest : public ::testing::Test {
 protected:
  // One request that is answered after `delay`.
  void exchange(Duration delay, std::uint64_t under_way = 0, std::uint64_t received = 0,
                std::uint64_t acknowledged = 0) {
    const LinkEstimator::Mark mark = link.mark(clock.now(), under_way);
    clock.advance(delay);
    link.on_received(received);
    link.on_acknowledged(acknowledged);
    link.on_reply(mark, clock.now());
  }
  ManualClock clock;
  LinkEstimator link;
};

TEST_F(LinkEstimatorTest, KnowsNothingAtFirst) {
  EXPECT_EQ(link.estimate().round_trip, Duration{});
  EXPECT_EQ(link.estimate().receive_bytes_per_s, 0U);
  EXPECT_EQ(link.estimate().send_bytes_per_s, 0U);
}

TEST_F(LinkEstimatorTest, RoundTripIsTheSmallestSeen) {
  exchange(milliseconds(30));
  exchange(milliseconds(20));
  exchange(milliseconds(50));
  EXPECT_EQ(link.estimate().round_trip, milliseconds(20));
}

TEST_F(LinkEstimatorTest, RequestsBehindMuchDataSayNothingAboutTheRoundTrip) {
  exchange(milliseconds(20), kMiB);
  EXPECT_EQ(link.estimate().round_trip, Duration{});
  exchange(milliseconds(30));
  exchange(milliseconds(5), kMiB);
  EXPECT_EQ(link.estimate().round_trip, milliseconds(30));
}

TEST_F(LinkEstimatorTest, AnOldMinimumIsForgottenWhenNewSamplesCome) {
  exchange(milliseconds(5));
  for (int i = 0; i < 25; ++i) {
    clock.advance(seconds(1));
    exchange(milliseconds(80));
  }
  EXPECT_EQ(link.estimate().round_trip, milliseconds(80));
}

TEST_F(LinkEstimatorTest, AnOldEstimateStaysWhileNothingNewIsKnown) {
  exchange(milliseconds(5));
  clock.advance(seconds(3600));
  EXPECT_EQ(link.estimate().round_trip, milliseconds(5));
}

TEST_F(LinkEstimatorTest, RatesAreTheBestDeliverySeen) {
  exchange(milliseconds(100), kMiB, 2 * kMiB, 0);
  exchange(milliseconds(100), kMiB, kMiB, 0);
  exchange(milliseconds(100), kMiB, 0, kMiB / 2);
  EXPECT_NEAR(static_cast<double>(link.estimate().receive_bytes_per_s), 20.0 * kMiB, 1.0);
  EXPECT_NEAR(static_cast<double>(link.estimate().send_bytes_per_s), 5.0 * kMiB, 1.0);
}

TEST_F(LinkEstimatorTest, ATrickleDoesNotReplaceTheRateOfBulk) {
  exchange(milliseconds(100), kMiB, 2 * kMiB, 0);
  for (int i = 0; i < 60; ++i) {
    clock.advance(seconds(1));
    exchange(milliseconds(50), 0, 100, 0);
  }
  EXPECT_NEAR(static_cast<double>(link.estimate().receive_bytes_per_s), 20.0 * kMiB, 1.0);
}

TEST_F(LinkEstimatorTest, ASlowerLinkIsNoticedWithinTwoWindows) {
  exchange(milliseconds(100), kMiB, 10 * kMiB, 0);
  for (int i = 0; i < 25; ++i) exchange(seconds(1), kMiB, kMiB, 0);
  EXPECT_NEAR(static_cast<double>(link.estimate().receive_bytes_per_s), 1.0 * kMiB, 1.0);
}

TEST_F(LinkEstimatorTest, AnAnswerInNoTimeIsNotDividedByZero) {
  exchange(Duration{}, 0, kMiB, kMiB);
  EXPECT_GT(link.estimate().round_trip, Duration{});
  EXPECT_GT(link.estimate().receive_bytes_per_s, 0U);
}

TEST_F(LinkEstimatorTest, ARateThatRoseByAQuarterGrowsForThreeRoundTrips) {
  exchange(milliseconds(20));
  exchange(milliseconds(20), kMiB, kMiB);
  EXPECT_TRUE(link.estimate().receive_rate_grows);
  for (int i = 0; i < 3; ++i) exchange(milliseconds(20), kMiB, kMiB + kMiB / 8);
  EXPECT_TRUE(link.estimate().receive_rate_grows);
  exchange(milliseconds(20), kMiB, kMiB + kMiB / 8);
  EXPECT_FALSE(link.estimate().receive_rate_grows);
  exchange(milliseconds(20), kMiB, 2 * kMiB);
  EXPECT_TRUE(link.estimate().receive_rate_grows);
}

TEST_F(LinkEstimatorTest, WhatGrowsAgainAfterASlowTimeGrows) {
  exchange(milliseconds(20));
  exchange(milliseconds(20), kMiB, 8 * kMiB);
  for (int i = 0; i < 25; ++i) {
    clock.advance(seconds(1));
    exchange(milliseconds(20), kMiB, kMiB);
  }
  EXPECT_FALSE(link.estimate().receive_rate_grows);
  exchange(milliseconds(20), kMiB, 2 * kMiB);
  EXPECT_TRUE(link.estimate().receive_rate_grows);
}

}  // namespace
}  // namespace sftpfs::sftp
