// Random sequences of operations, on the file system and on a plain directory: every answer must
// be the same, and at the end both directories. A sequence that fails is shown without what its
// failure does not need.
//
//   SFTPFS_MODEL_SEED=n     one seed alone (a failing test names it)
//   SFTPFS_MODEL_TIMES=n    sequences so many times as long
//   SFTPFS_MODEL_SECONDS=n  one seed after the other for so long
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <tuple>

#include "model/pair.h"
#include "model/shrink.h"
#include "model/step_maker.h"

namespace sftpfs::model {
namespace {

constexpr auto kTimeToShrink = std::chrono::seconds(60);

std::vector<Step> smallest(const Shape& shape, const std::vector<Step>& steps) {
  const auto fails = [&shape](const std::vector<Step>& part) { return !play(shape, part).empty(); };
  return shrink<Step>(steps, fails, test::Deadline(kTimeToShrink));
}

// Empty, or what is wrong.
std::string run_sequence(const Shape& shape, std::uint64_t seed, int count) {
  StepMaker maker(seed);
  std::vector<Step> steps;
  const std::string failure = play(shape, steps, [&](Pair& pair, std::vector<Step>& made) {
    if (made.size() < static_cast<std::size_t>(count)) maker.next(pair, made);
  });
  if (failure.empty()) return "";
  std::string report = fmt::format("SFTPFS_MODEL_SEED={}:\n{}", seed, failure);
  const std::vector<Step> needed = smallest(shape, steps);
  const std::string again = play(shape, needed);
  report += fmt::format("{} of {} steps are enough{}:\n", needed.size(), steps.size(),
                        again.empty() ? ", sometimes" : "");
  for (const Step& step : needed) report += "  " + step.line + "\n";
  return report + again;
}

// Whether whatever can be is striped, and over what.
enum class Striped : std::uint8_t { kNot, kOverSessions, kOverSiblings };

// workers, sessions, cache slots, striping
using Configuration = std::tuple<unsigned, unsigned, std::size_t, Striped>;

class RandomOperations : public ::testing::TestWithParam<Configuration> {};

TEST_P(RandomOperations, AnswerLikeAPlainDirectory) {
  constexpr std::uint64_t kSeeds = 8;
  constexpr int kOperations = 1000;
  Shape shape;
  Striped striped{};
  std::tie(shape.workers, shape.max_conns, shape.cache_slots, striped) = GetParam();
  shape.striped = striped != Striped::kNot;
  shape.siblings = striped == Striped::kOverSiblings;
  // Little room for unacknowledged bytes: writers wait.
  shape.dirty_bytes_max = 200'000;
  const char* chosen = std::getenv("SFTPFS_MODEL_SEED");
  const char* seconds = std::getenv("SFTPFS_MODEL_SECONDS");
  const std::uint64_t first = chosen == nullptr ? 1 : std::strtoull(chosen, nullptr, 10);
  std::uint64_t last = chosen == nullptr ? kSeeds : first;
  if (seconds != nullptr) last = UINT64_MAX;
  const auto limit = std::chrono::steady_clock::now() +
                     std::chrono::seconds(seconds == nullptr ? 1'000'000 : std::atoi(seconds));
  std::uint64_t seed = first;
  for (; seed <= last && std::chrono::steady_clock::now() < limit; ++seed) {
    ASSERT_EQ(run_sequence(shape, seed, scaled(kOperations)), "");
  }
  fmt::print("{} sequences of {} operations\n", seed - first, scaled(kOperations));
}

std::string name_of(const ::testing::TestParamInfo<Configuration>& chosen) {
  constexpr std::array kNames{"", "striped", "striped_over_siblings"};
  return fmt::format("workers{}sessions{}slots{}{}", std::get<0>(chosen.param),
                     std::get<1>(chosen.param), std::get<2>(chosen.param),
                     kNames.at(static_cast<std::size_t>(std::get<3>(chosen.param))));
}

INSTANTIATE_TEST_SUITE_P(, RandomOperations,
                         ::testing::Values(Configuration{1, 1, 64, Striped::kNot},
                                           Configuration{1, 4, 64, Striped::kNot},
                                           Configuration{1, 4, 64, Striped::kOverSessions},
                                           Configuration{1, 1, 64, Striped::kOverSiblings},
                                           Configuration{2, 4, 64, Striped::kNot},
                                           Configuration{2, 4, 64, Striped::kOverSessions},
                                           Configuration{2, 2, 64, Striped::kOverSiblings},
                                           Configuration{2, 4, 2, Striped::kNot}),
                         name_of);

TEST(Shrink, KeepsWhatTheFailureNeedsAndNothingElse) {
  std::vector<int> all;
  for (int i = 0; i < 1000; ++i) all.push_back(i);
  const auto fails = [](const std::vector<int>& part) {
    const std::set<int> has(part.begin(), part.end());
    return has.contains(17) && has.contains(18) && has.contains(901);
  };
  EXPECT_EQ(shrink<int>(all, fails, test::Deadline(kTimeToShrink)),
            (std::vector<int>{17, 18, 901}));
}

// A difference that the file system is not to blame for, in the middle of a long sequence.
TEST(Shrink, ShowsAFailingSequenceByItsCauses) {
  const Shape shape;
  StepMaker maker(3);
  std::vector<Step> steps;
  const auto next = [&](Pair& pair, std::vector<Step>& made) {
    if (made.size() < 200) maker.next(pair, made);
  };
  ASSERT_EQ(play(shape, steps, next), "");
  const auto make = [](Pair& pair) {
    pair.both([](Tree& tree) { return tree.mkdir("victim", 0755); });
  };
  const auto spoil = [](Pair& pair) {
    std::ofstream(pair.world().directory() + "/victim/surplus") << "text";
  };
  steps.insert(steps.begin() + 50, Step{"make", make});
  steps.insert(steps.begin() + 150, Step{"spoil", spoil});
  ASSERT_NE(play(shape, steps), "");
  const std::vector<Step> needed = smallest(shape, steps);
  ASSERT_EQ(needed.size(), 2U);
  EXPECT_EQ(needed[0].line, "make");
  EXPECT_EQ(needed[1].line, "spoil");
}

}  // namespace
}  // namespace sftpfs::model
