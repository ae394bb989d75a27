// After many reconnections the mount programme is as large as after the first few.
//
// A session that is lost young waits longer each time before it connects again. So many sessions
// are cut at once, in few rounds, which also is what a real outage does.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <list>
#include <string>

#include "fault/fault_scene.h"
#include "support/process.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

constexpr std::uint64_t kSessions = 16;  // the most there may be
constexpr int kWarmUpRounds = 1;
// Walk over directories of their own at the same time, to keep every session busy.
constexpr int kWalkers = 64;
constexpr int kFilesEach = 20;
constexpr std::chrono::microseconds kDelay{20'000};
constexpr std::chrono::seconds kRoundTimeout{90};
// A session older than this connects at once when it is lost.
constexpr std::chrono::milliseconds kStable{10'500};
// Allocators keep a little of what was once used.
constexpr long kMemorySlackKib = 12 << 10;

std::uint64_t reconnections() { return full_run() ? 1000 : 100; }

class Reconnects : public testing::TestWithParam<MountConfig> {
 protected:
  Reconnects() : scene_({many_sessions(), {"cache=no"}}) {}
  static MountConfig many_sessions() {
    MountConfig config = GetParam();
    config.max_conns = static_cast<int>(kSessions);
    return config;
  }

  // Works on many names at once over a long link, until all sessions are open.
  void open_all_sessions();
  bool all_open(const Deadline& deadline) {
    return scene_.relay().wait_stats(
        [this](const RelayStats& stats) { return stats.open_connections >= sessions_; }, deadline);
  }
  void cut_all();
  // The smallest that is seen within some time: a log-in under way takes descriptors, too.
  ProcessSize settled_size(const ProcessSize& wanted);

  FaultScene scene_;
  std::uint64_t sessions_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Reconnects, testing::ValuesIn(fault_configs()), ConfigName());

void Reconnects::open_all_sessions() {
  for (int i = 0; i < kWalkers; ++i) {
    const std::string dir = scene_.on_server("dir" + std::to_string(i));
    std::filesystem::create_directory(dir);
    for (int k = 0; k < kFilesEach; ++k) write_file(dir + "/" + std::to_string(k), "");
  }
  scene_.relay().set_delay(Direction::kToServer, kDelay);
  const Deadline deadline(kRoundTimeout);
  while (scene_.relay().stats().open_connections < kSessions && !deadline.passed()) {
    std::list<Process> walkers;
    for (int i = 0; i < kWalkers; ++i) {
      walkers.emplace_back(
          Arguments{"find", scene_.on_mount("dir" + std::to_string(i)), "-size", "+1"});
    }
    for (Process& walker : walkers) {
      const auto outcome = walker.wait(deadline);
      EXPECT_TRUE(outcome && outcome->ok());
    }
  }
  scene_.relay().set_delay(Direction::kToServer, std::chrono::microseconds(0));
  EXPECT_TRUE(scene_.wait_answer(kPatience));
  sessions_ = scene_.relay().stats().open_connections;
  EXPECT_EQ(sessions_, kSessions) << "the load has not opened all sessions";
}

void Reconnects::cut_all() {
  scene_.relay().cut(CutMode::kReset);
  ASSERT_TRUE(all_open(Deadline(kRoundTimeout))) << scene_.mount().log();
  ASSERT_TRUE(scene_.wait_answer(kRoundTimeout)) << scene_.mount().log();
  std::printf("%lu reconnections\n",
              static_cast<unsigned long>(scene_.relay().stats().connections - sessions_));
  std::fflush(stdout);
  if (!full_run()) return;
  // Nothing is lost meanwhile.
  EXPECT_FALSE(scene_.relay().wait_stats(
      [this](const RelayStats& stats) { return stats.open_connections < sessions_; },
      Deadline(kStable)));
}

ProcessSize Reconnects::settled_size(const ProcessSize& wanted) {
  const Deadline deadline(kPatience);
  const UniqueFd daemon = open_pidfd(scene_.mount().daemon_pid());
  while (true) {
    const ProcessSize now = process_size(scene_.mount().daemon_pid());
    const bool settled = now.descriptors <= wanted.descriptors && now.threads <= wanted.threads;
    if (settled || deadline.passed()) return now;
    if (wait_exit(daemon.get(), Deadline(std::chrono::milliseconds(20)))) return now;
  }
}

TEST_P(Reconnects, LeaveNothingBehind) {
  open_all_sessions();
  for (int round = 0; round < kWarmUpRounds; ++round) ASSERT_NO_FATAL_FAILURE(cut_all());
  const ProcessSize before = process_size(scene_.mount().daemon_pid());
  const std::uint64_t first = scene_.relay().stats().connections;
  while (scene_.relay().stats().connections - first < reconnections()) {
    ASSERT_NO_FATAL_FAILURE(cut_all());
  }
  const ProcessSize after = settled_size(before);
  std::printf("%lu reconnections: descriptors %zu -> %zu, threads %zu -> %zu, %ld -> %ld KiB\n",
              static_cast<unsigned long>(scene_.relay().stats().connections - first),
              before.descriptors, after.descriptors, before.threads, after.threads,
              before.memory_kib, after.memory_kib);
  EXPECT_LE(after.descriptors, before.descriptors) << scene_.mount().log();
  EXPECT_LE(after.threads, before.threads);
  EXPECT_LE(after.memory_kib, before.memory_kib + kMemorySlackKib);
}

}  // namespace
}  // namespace sftpfs::test
