// Real programmes work while their connections are broken at chosen bytes: each must end well, and
// what it has made must be whole.
//
// The points are drawn from a seed. A run without faults measures how many bytes the work moves;
// each point is one of them, in one of the two directions. Every second fault is followed by a
// second one while the mount is busy recovering from the first.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "fault/fault_scene.h"
#include "fault/workloads.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::minutes kWorkTimeout{5};
// Of what the run without faults has moved: repeated runs move a little more or less.
constexpr double kUsedPart = 0.9;
// Login, opening and the first of what is sent again all lie within this many bytes.
constexpr std::uint64_t kRecoveryBytes = 40'000;

struct KillCase {
  MountConfig config;
  std::string workload;
  std::string name() const { return config.transport + "_" + workload; }
};
std::ostream& operator<<(std::ostream& out, const KillCase& value) { return out << value.name(); }

std::vector<KillCase> kill_cases() {
  std::vector<KillCase> cases;
  for (const MountConfig& config : fault_configs()) {
    for (const std::string& workload : workload_names()) cases.push_back({config, workload});
  }
  return cases;
}

// For each way to break, transport and workload: 4 are 200 points in all.
int points_for_each_kind() { return full_run() ? 4 : 1; }

struct Point {
  FaultKind kind;
  Direction direction;
  std::uint64_t byte;
  bool second_fault;
  bool deliver_late;  // of a black hole
};

std::string describe(const Point& point) {
  return std::string(fault_kind_name(point.kind)) + " at byte " + std::to_string(point.byte) +
         (point.direction == Direction::kToServer ? " to the server" : " to the client") +
         (point.second_fault ? ", and a second one" : "");
}

class KillPoints : public testing::TestWithParam<KillCase> {
 protected:
  KillPoints()
      : scene_({GetParam().config, {}}),
        workload_(make_workload(GetParam().workload, scene_)),
        random_(fault_seed()) {}

  void measure();
  Point draw(FaultKind kind);
  void run_with_fault(const Point& point, int number);
  void break_and_heal(const Point& point);

  FaultScene scene_;
  std::unique_ptr<Workload> workload_;
  std::mt19937_64 random_;
  RelayStats moved_;  // by a run without faults
};
INSTANTIATE_TEST_SUITE_P(Mounts, KillPoints, testing::ValuesIn(kill_cases()), ConfigName());

void KillPoints::measure() {
  const RelayStats before = scene_.relay().stats();
  Process work = workload_->start(0);
  const auto outcome = work.wait(Deadline(kWorkTimeout));
  ASSERT_TRUE(outcome && outcome->ok()) << (outcome ? outcome->describe() : "takes too long");
  const RelayStats after = scene_.relay().stats();
  EXPECT_EQ(workload_->check(0), "");
  moved_.bytes_to_server = after.bytes_to_server - before.bytes_to_server;
  moved_.bytes_to_client = after.bytes_to_client - before.bytes_to_client;
}

Point KillPoints::draw(FaultKind kind) {
  Point point{kind, Direction::kToServer, 0, random_() % 2 == 0, random_() % 2 == 0};
  if (random_() % 2 == 0) point.direction = Direction::kToClient;
  const std::uint64_t moved =
      point.direction == Direction::kToServer ? moved_.bytes_to_server : moved_.bytes_to_client;
  const auto used = static_cast<std::uint64_t>(static_cast<double>(moved) * kUsedPart);
  point.byte = 1 + random_() % used;
  return point;
}

void KillPoints::break_and_heal(const Point& point) {
  ASSERT_TRUE(scene_.relay().wait_cut(Deadline(kWorkTimeout))) << "the point was not reached";
  if (point.kind == FaultKind::kBlackHole) {
    EXPECT_TRUE(scene_.heal_after_detection(point.deliver_late));
  }
  if (point.second_fault) {
    scene_.relay().cut_at(Direction::kToClient, 1 + random_() % kRecoveryBytes, CutMode::kReset);
  }
}

void KillPoints::run_with_fault(const Point& point, int number) {
  scene_.strike_at(point.kind, point.direction, point.byte);
  Process work = workload_->start(number);
  break_and_heal(point);
  const auto recovery = scene_.wait_answer(kPatience);
  EXPECT_TRUE(recovery) << "the mount does not answer\n" << scene_.mount().log();
  const auto outcome = work.wait(Deadline(kWorkTimeout));
  scene_.relay().cancel_cut();
  std::printf("%s: %s: answered after %ld ms\n", GetParam().name().c_str(), describe(point).c_str(),
              recovery ? static_cast<long>(recovery->count()) : -1L);
  ASSERT_TRUE(outcome) << "the work does not end\n" << scene_.mount().log();
  EXPECT_TRUE(outcome->ok()) << outcome->describe() << "\n" << scene_.mount().log();
  EXPECT_EQ(workload_->check(number), "");
}

TEST_P(KillPoints, TheWorkEndsWellAndIsWhole) {
  ASSERT_NO_FATAL_FAILURE(measure());
  int number = 0;
  for (int i = 0; i < points_for_each_kind(); ++i) {
    for (const FaultKind kind : all_fault_kinds()) {
      const Point point = draw(kind);
      SCOPED_TRACE("seed " + std::to_string(fault_seed()) + ", run " + std::to_string(++number) +
                   ": " + describe(point));
      ASSERT_NO_FATAL_FAILURE(run_with_fault(point, number));
    }
  }
}

}  // namespace
}  // namespace sftpfs::test
