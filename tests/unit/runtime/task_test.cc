// Task: when it starts, where it goes on, when its frame dies.
#include "runtime/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/wait_list.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

Task<int> answer(int value) { co_return value; }

Task<int> answer_later(int value) {
  co_await yield_turn();
  co_return value;
}

Task<void> record(std::vector<int>& order, int value) {
  order.push_back(value);
  co_return;
}

TEST(Task, DoesNothingUntilAwaited) {
  SimulatedLoop sim;
  std::vector<int> order;
  const auto body = [](std::vector<int>& out) -> Task<void> {
    Task<void> lazy = record(out, 2);
    out.push_back(1);
    co_await std::move(lazy);
    out.push_back(3);
  };
  sim.start(body(order));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Task, FreesItsParametersWhenNeverAwaited) {
  const auto token = std::make_shared<int>(0);
  {
    const auto body = [](std::shared_ptr<int> held) -> Task<void> {
      ++*held;
      co_return;
    };
    const Task<void> unused = body(token);
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(*token, 0);
}

TEST(Task, FreesTheFrameItIsAssignedOver) {
  const auto token = std::make_shared<int>(0);
  const auto body = [](std::shared_ptr<int> held) -> Task<void> {
    ++*held;
    co_return;
  };
  Task<void> task = body(token);
  task = body(nullptr);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Task, YieldsItsValueWhetherItSuspendedOrNot) {
  SimulatedLoop sim;
  std::vector<int> values;
  const auto body = [](std::vector<int>& out) -> Task<void> {
    const int now = co_await answer(1);
    const int later = co_await answer_later(2);
    out = {now, later};
  };
  sim.start(body(values));
  EXPECT_EQ(values, (std::vector<int>{1, 2}));
}

TEST(Task, CarriesMoveOnlyValuesAndResults) {
  SimulatedLoop sim;
  int seen = 0;
  ErrorCode code = ErrorCode::kSystem;
  const auto make = [](int value) -> Task<Result<std::unique_ptr<int>>> {
    co_await yield_turn();
    if (value < 0) co_return fail(ErrorCode::kInvalid);
    co_return std::make_unique<int>(value);
  };
  const auto body = [](auto maker, int& out, ErrorCode& error) -> Task<void> {
    Result<std::unique_ptr<int>> good = co_await maker(5);
    const Result<std::unique_ptr<int>> bad = co_await maker(-1);
    out = **good;
    error = bad.error().code();
  };
  sim.start(body(make, seen, code));
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(code, ErrorCode::kInvalid);
}

TEST(Task, SpawnRunsUpToTheFirstSuspensionAtOnce) {
  SimulatedLoop sim;
  std::vector<int> order;
  sim.inside([&order] {
    spawn([](std::vector<int>& out) -> Task<void> {
      out.push_back(1);
      co_await yield_turn();
      out.push_back(3);
    }(order));
    order.push_back(2);
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Task, SpawnFreesTheFrameAtItsEnd) {
  SimulatedLoop sim;
  const auto token = std::make_shared<int>(0);
  const auto body = [](std::shared_ptr<int> held, int suspensions) -> Task<void> {
    for (int i = 0; i < suspensions; ++i) co_await yield_turn();
    ++*held;
  };
  sim.start(body(token, 0));
  sim.start(body(token, 3));
  EXPECT_EQ(*token, 2);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Task, KeepsTheStackFlatOverAMillionReadyAwaits) {
  SimulatedLoop sim;
  long sum = 0;
  const auto body = [](long& out) -> Task<void> {
    for (int i = 0; i < 1'000'000; ++i) {
      const int one = co_await answer(1);
      out += one;
    }
  };
  sim.start(body(sum));
  EXPECT_EQ(sum, 1'000'000);
}

TEST(Task, KeepsTheStackFlatOverManySuspensions) {
  SimulatedLoop sim;
  long sum = 0;
  const auto body = [](long& out) -> Task<void> {
    for (int i = 0; i < 100'000; ++i) {
      const int one = co_await answer_later(1);
      out += one;
    }
  };
  sim.start(body(sum));
  EXPECT_EQ(sum, 100'000);
}

Task<int> nested(int depth) {
  if (depth == 0) {
    co_await yield_turn();
    co_return 1;
  }
  const int below = co_await nested(depth - 1);
  co_return below + 1;
}

TEST(Task, UnwindsADeepChainThroughTheReadyQueue) {
  SimulatedLoop sim;
  int depth = 0;
  const auto body = [](int& out) -> Task<void> {
    const int got = co_await nested(1000);
    out = got;
  };
  sim.start(body(depth));
  EXPECT_EQ(depth, 1001);
}

TEST(Task, ResumesItsParentOnlyAfterTheNotifierIsDone) {
  SimulatedLoop sim;
  WaitList list;
  std::vector<int> order;
  const auto waiter = [](WaitList& waits) -> Task<void> { co_await waits.wait(); };
  const auto body = [](auto wait, WaitList& waits, std::vector<int>& out) -> Task<void> {
    co_await wait(waits);
    out.push_back(2);
  };
  sim.start(body(waiter, list, order));
  sim.inside([&] {
    list.notify_one();
    order.push_back(1);
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

class TaskDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(TaskDeathTest, RefusesToBeAwaitedTwice) {
  const auto body = []() -> Task<void> {
    Task<int> once = answer(1);
    [[maybe_unused]] const int first = co_await once;
    [[maybe_unused]] const int second = co_await once;
  };
  EXPECT_DEATH(
      {
        SimulatedLoop sim;
        sim.start(body());
      },
      "internal error");
}

TEST_F(TaskDeathTest, RefusesToBeAwaitedOnceMovedAway) {
  const auto body = []() -> Task<void> {
    Task<int> gone = answer(1);
    const Task<int> kept = std::move(gone);
    [[maybe_unused]] const int value = co_await gone;  // NOLINT(bugprone-use-after-move)
  };
  EXPECT_DEATH(
      {
        SimulatedLoop sim;
        sim.start(body());
      },
      "internal error");
}

TEST_F(TaskDeathTest, LetsNoExceptionOut) {
  const auto body = []() -> Task<void> {
    co_await yield_turn();
    throw std::runtime_error("lost");
  };
  EXPECT_DEATH(
      {
        SimulatedLoop sim;
        sim.start(body());
      },
      "");
}

TEST_F(TaskDeathTest, SpawnNeedsALoop) {
  std::vector<int> order;
  EXPECT_DEATH(spawn(record(order, 1)), "internal error");
}

}  // namespace
}  // namespace sftpfs::runtime
