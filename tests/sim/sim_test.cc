// Schedules of operations, faults and interruptions in simulated time, each made from one seed:
// every answer must be the reference's, and in the end the server's whole tree.
//
//   SFTPFS_SIM_SEED=n     runs this one schedule of each test, and prints what happens in it
//   SFTPFS_SIM_COUNT=n    how many schedules a test runs
//   SFTPFS_SIM_SECONDS=n  no more are begun after so many seconds
//   SFTPFS_SIM_SHARD=i/n  every n-th schedule, from the i-th on
//   SFTPFS_SIM_ALL=1      goes on after a failure
//   SFTPFS_SIM_LOG=1      with the log of the file system
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/log.h"
#include "sim/world.h"

namespace sftpfs::sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Shard {
  std::uint64_t first = 0;
  std::uint64_t step = 1;
};

Shard shard_from_environment() {
  Shard shard;
  const char* text = std::getenv("SFTPFS_SIM_SHARD");
  if (text == nullptr) return shard;
  char* rest = nullptr;
  shard.first = std::strtoull(text, &rest, 10);
  if (*rest == '/') shard.step = std::strtoull(rest + 1, nullptr, 10);
  return shard;
}

// Runs a schedule that has failed once more to show it.
void show(const Scenario& scenario, std::uint64_t seed) {
  auto world = std::make_unique<World>(scenario, seed, true);
  const bool good = world->run();
  for (const std::string& line : world->trace().lines()) fmt::print("{}\n", line);
  fmt::print("seed {}: {}\n", seed, good ? "good" : world->failure());
  // What is suspended in a failed world cannot be taken apart.
  if (!good) static_cast<void>(world.release());
}

bool run_one(const Scenario& scenario, std::uint64_t seed, std::uint64_t& operations,
             std::uint64_t& faults) {
  auto world = std::make_unique<World>(scenario, seed, false);
  const bool good = world->run();
  operations += world->operations();
  faults += world->network().faults();
  if (good) return true;
  ADD_FAILURE() << "SFTPFS_SIM_SEED=" << seed << ": " << world->failure();
  static_cast<void>(world.release());
  return false;
}

void run_schedules(const Scenario& scenario, std::uint64_t count) {
  log_set_level(std::getenv("SFTPFS_SIM_LOG") != nullptr ? LogLevel::kDebug : LogLevel::kOff);
  if (std::getenv("SFTPFS_SIM_SEED") != nullptr) {
    const std::uint64_t seed = from_environment("SFTPFS_SIM_SEED", 0);
    show(scenario, seed);
    count = 1;
    std::uint64_t unused = 0;
    run_one(scenario, seed, unused, unused);
    return;
  }
  count = from_environment("SFTPFS_SIM_COUNT", count);
  const Shard shard = shard_from_environment();
  const auto begin = std::chrono::steady_clock::now();
  const auto limit = std::chrono::seconds(from_environment("SFTPFS_SIM_SECONDS", 1'000'000));
  std::uint64_t done = 0;
  std::uint64_t operations = 0;
  std::uint64_t faults = 0;
  for (std::uint64_t seed = shard.first; seed < count; seed += shard.step) {
    if (std::chrono::steady_clock::now() - begin > limit) break;
    ++done;
    if (run_one(scenario, seed, operations, faults)) continue;
    if (std::getenv("SFTPFS_SIM_ALL") != nullptr) continue;
    show(scenario, seed);
    return;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{} schedules, {} operations, {} faults in {:.1f} s ({:.2f} ms each)\n", done,
             operations, faults, took, 1000 * took / static_cast<double>(done));
}

constexpr unsigned kEveryFault = (1U << kFaultKinds) - 1;

Scenario with_faults(unsigned kinds) {
  Scenario scenario;
  scenario.fault_kinds = kinds;
  scenario.faults_min = 5;
  return scenario;
}

TEST(Simulation, WithoutFaultsEveryAnswerIsTheReferences) {
  Scenario scenario;
  run_schedules(scenario, 500);
}

TEST(Simulation, AnInterruptedOperationHasHappenedOrNot) {
  Scenario scenario;
  scenario.interrupts = true;
  run_schedules(scenario, 500);
}

// One kind of fault alone, for each kind: whatever fails here is easier to understand.
class SimulationOfOneFault : public ::testing::TestWithParam<FaultKind> {};

TEST_P(SimulationOfOneFault, NobodyNoticesIt) {
  Scenario scenario = with_faults(1U << static_cast<unsigned>(GetParam()));
  run_schedules(scenario, 100);
}

std::string name_of_fault(const ::testing::TestParamInfo<FaultKind>& info) {
  std::string name = fault_name(info.param);
  std::erase(name, ' ');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, SimulationOfOneFault,
                         ::testing::Values(FaultKind::kReset, FaultKind::kEnd,
                                           FaultKind::kBlackHole, FaultKind::kKill,
                                           FaultKind::kReboot, FaultKind::kRefuse,
                                           FaultKind::kStall),
                         name_of_fault);

TEST(Simulation, NobodyNoticesFaultsOfEveryKind) {
  Scenario scenario = with_faults(kEveryFault);
  run_schedules(scenario, 500);
}

TEST(Simulation, AheadOfTheServerEveryAnswerIsTheReferences) {
  Scenario scenario;
  scenario.ahead = true;
  run_schedules(scenario, 500);
}

TEST(Simulation, AheadOfTheServerAnInterruptedOperationHasHappenedOrNot) {
  Scenario scenario;
  scenario.ahead = true;
  scenario.interrupts = true;
  run_schedules(scenario, 500);
}

TEST(Simulation, AheadOfTheServerNobodyNoticesFaultsOfEveryKind) {
  Scenario scenario = with_faults(kEveryFault);
  scenario.ahead = true;
  run_schedules(scenario, 500);
}

TEST(Simulation, FaultsAndInterruptsTogetherLoseNothing) {
  Scenario scenario = with_faults(kEveryFault);
  scenario.interrupts = true;
  run_schedules(scenario, 500);
}

}  // namespace
}  // namespace sftpfs::sim
