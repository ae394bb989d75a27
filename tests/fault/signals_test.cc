// Whoever waits for a server that does not answer can be ended, at once and by any signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

// The promise is one second; a busy machine may need a little longer to run what was killed.
constexpr milliseconds kGoneLimit{1500};
constexpr std::chrono::seconds kSoon{15};
constexpr int kLookAgainMs = 10;

// How the server falls silent.
enum class Silence { kBlackHole, kStopped };

struct SignalCase {
  MountConfig config;
  Silence silence;
  std::string name() const {
    return config.name() + (silence == Silence::kBlackHole ? "_black_hole" : "_stopped");
  }
};
std::ostream& operator<<(std::ostream& out, const SignalCase& value) { return out << value.name(); }

std::vector<SignalCase> signal_cases() {
  std::vector<SignalCase> cases;
  for (const MountConfig& config : fault_configs()) {
    cases.push_back({config, Silence::kBlackHole});
    cases.push_back({config, Silence::kStopped});
  }
  return cases;
}

class Signals : public testing::TestWithParam<SignalCase> {
 protected:
  Signals() : scene_({GetParam().config, lasting_names()}) {}

  void fall_silent() {
    if (GetParam().silence == Silence::kBlackHole) {
      scene_.strike(FaultKind::kBlackHole);
    } else {
      scene_.server().stop();
    }
  }
  void wake_up() {
    if (GetParam().silence == Silence::kBlackHole) {
      scene_.relay().cut(CutMode::kReset);
      scene_.relay().heal();
    } else {
      scene_.server().resume();
    }
  }

  // Children that wait in the file system, one for each operation.
  using Children = std::list<OperationChild>;
  void block_all(Children& children, SignalUse use, const std::set<std::string>& without = {}) {
    ++round_;
    for (const std::string& name : operation_names()) {
      if (without.count(name) == 0) {
        children.emplace_back(make_operation(scene_, name, round_), use);
      }
    }
    fall_silent();
    for (OperationChild& child : children) child.go();
    for (const OperationChild& child : children) {
      EXPECT_TRUE(child.wait_blocked(Deadline(kSoon)))
          << child.name() << " does not wait, state " << process_state(child.pid()) << "\n"
          << kernel_stack(child.pid());
    }
  }

  void expect_gone(int signal);
  // Waiting on disks of this machine is short; waiting on the mount would stay.
  static void expect_nobody_uninterruptible() {
    const Deadline deadline(kSoon);
    std::vector<pid_t> stuck = all_processes();
    while (!deadline.passed()) {
      std::erase_if(stuck, [](pid_t pid) { return process_state(pid) != 'D'; });
      if (stuck.empty()) return;
      const UniqueFd pidfd = open_pidfd(stuck.front());
      if (pidfd) wait_exit(pidfd.get(), Deadline(milliseconds(kLookAgainMs)));
    }
    ADD_FAILURE() << "in D state:" << describe_processes(stuck);
  }

  FaultScene scene_;
  int round_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Signals, testing::ValuesIn(signal_cases()), ConfigName());

void Signals::expect_gone(int signal) {
  Children children;
  block_all(children, SignalUse::kDefault);
  milliseconds worst{0};
  for (const OperationChild& child : children) {
    const auto begin = Deadline::Clock::now();
    child.signal(signal);
    const bool gone = child.wait_gone(Deadline(kSoon));
    const auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
    EXPECT_TRUE(gone) << child.name() << ", state " << process_state(child.pid());
    EXPECT_LE(took, kGoneLimit * time_factor()) << child.name();
    worst = std::max(worst, took);
  }
  std::printf("signal %d: the slowest was gone after %ld ms\n", signal,
              static_cast<long>(worst.count()));
  expect_nobody_uninterruptible();
  wake_up();
  EXPECT_TRUE(scene_.wait_answer(kPatience)) << scene_.mount().log();
}

TEST_P(Signals, InterruptEndsWhoeverWaits) { expect_gone(SIGINT); }

TEST_P(Signals, KillEndsWhoeverWaits) { expect_gone(SIGKILL); }

// Some calls ask the server several things in turn, and not every answer matters to them: each wait
// is ended by a signal of its own. A page is asked for again until it is there, `df` catches no
// signal, and statfs answers in any case.
TEST_P(Signals, ACaughtSignalEndsTheCallWithEINTR) {
  Children children;
  block_all(children, SignalUse::kCaught, {"read", "map", "df", "statfs"});
  std::list<OperationChild*> waiting;
  for (OperationChild& child : children) waiting.push_back(&child);
  constexpr int kWaitsMax = 4;
  for (int i = 0; i < kWaitsMax && !waiting.empty(); ++i) {
    for (const OperationChild* child : waiting) child->signal(SIGINT);
    const Deadline limit(kGoneLimit);
    waiting.remove_if([&](OperationChild* child) {
      const auto result = child->wait_result(limit);
      if (result) {
        EXPECT_EQ(result->error, EINTR) << child->name();
      }
      return result.has_value();
    });
  }
  for (const OperationChild* child : waiting) {
    ADD_FAILURE() << child->name() << ", state " << process_state(child->pid()) << "\n"
                  << kernel_stack(child->pid());
  }
  wake_up();
  EXPECT_TRUE(scene_.wait_answer(kPatience)) << scene_.mount().log();
}

// The detection of a dead server must not change who can be ended.
TEST_P(Signals, WhoWaitsForAReconnectionCanBeEndedToo) {
  Children children;
  block_all(children, SignalUse::kDefault);
  const std::uint64_t before = scene_.relay().stats().connections;
  EXPECT_TRUE(scene_.relay().wait_stats(
      [before](const RelayStats& stats) { return stats.connections > before; },
      Deadline(kPatience)))
      << scene_.mount().log();
  for (const OperationChild& child : children) {
    child.signal(SIGINT);
    const Deadline limit(kGoneLimit);
    EXPECT_TRUE(child.wait_gone(limit)) << child.name() << ", state " << process_state(child.pid());
  }
  expect_nobody_uninterruptible();
  wake_up();
  EXPECT_TRUE(scene_.wait_answer(kPatience)) << scene_.mount().log();
}

TEST_P(Signals, WhoWaitsInVainGoesOnWhenTheServerIsBack) {
  Children children;
  // What reports by its exit status only cannot be asked.
  block_all(children, SignalUse::kDefault, {"df"});
  wake_up();
  for (OperationChild& child : children) {
    const auto result = child.wait_result(Deadline(kPatience));
    ASSERT_TRUE(result) << child.name() << "\n" << scene_.mount().log();
    EXPECT_EQ(result->error, 0) << child.name();
  }
}

}  // namespace
}  // namespace sftpfs::test
