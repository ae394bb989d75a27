// See fs/live_options.h.
#include "fs/live_options.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sftpfs::fs {
namespace {

LiveOptions with_lifetimes(int seconds) {
  LiveOptions options;
  options.attr_lifetime = std::chrono::seconds(seconds);
  options.attr_lifetime_max = std::chrono::seconds(2 * seconds);
  return options;
}

TEST(LiveSetting, WhatBelongsTogetherIsSeenTogether) {
  LiveSetting setting(with_lifetimes(1));
  std::atomic<bool> torn{false};
  std::atomic<int> seen{0};
  std::thread reader([&] {
    while (seen < 500) {
      const LiveOptions& options = setting.get();
      if (options.attr_lifetime_max != 2 * options.attr_lifetime) torn = true;
      seen = static_cast<int>(options.attr_lifetime / std::chrono::seconds(1));
    }
  });
  for (int i = 1; i <= 500; ++i) EXPECT_TRUE(setting.set(with_lifetimes(i)));
  reader.join();
  EXPECT_FALSE(torn);
}

TEST(LiveSetting, ASetThatWasReplacedStaysAsItWas) {
  LiveSetting setting(with_lifetimes(1));
  const LiveOptions& held = setting.get();
  for (int i = 2; i < 100; ++i) EXPECT_TRUE(setting.set(with_lifetimes(i)));
  EXPECT_EQ(held, with_lifetimes(1));
  EXPECT_EQ(setting.get(), with_lifetimes(99));
}

TEST(LiveSetting, HasRoomForSoManyChangesAndNoMore) {
  LiveSetting setting(with_lifetimes(0));
  const int changes = static_cast<int>(LiveSetting::kChangesMax);
  for (int i = 1; i <= changes; ++i) ASSERT_TRUE(setting.set(with_lifetimes(i)));
  EXPECT_FALSE(setting.set(with_lifetimes(0)));
  EXPECT_TRUE(setting.set(with_lifetimes(changes))) << "nothing changes";
  EXPECT_EQ(setting.get(), with_lifetimes(changes));
}

}  // namespace
}  // namespace sftpfs::fs
