// run_on(): the body there, the result here.
#include "runtime/hop.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

Task<std::thread::id> where_am_i() { co_return std::this_thread::get_id(); }

Task<std::thread::id> where_am_i_later() {
  co_await yield_turn();
  co_return std::this_thread::get_id();
}

using Places = std::vector<std::thread::id>;

TEST(RunOn, RunsThereAndResumesHere) {
  LoopThread here;
  LoopThread there;
  const auto body = [](Loop& target) -> Task<Places> {
    const std::thread::id started = std::this_thread::get_id();
    const std::thread::id at_once = co_await run_on(target, where_am_i());
    const std::thread::id later = co_await run_on(target, where_am_i_later());
    const std::thread::id ended = std::this_thread::get_id();
    Places places = {started, at_once, later, ended};
    co_return places;
  };
  EXPECT_EQ(here.finish(body(there.loop())),
            (Places{here.id(), there.id(), there.id(), here.id()}));
}

TEST(RunOn, DoesNotHopToTheLoopItIsOn) {
  SimulatedLoop sim;
  bool done = false;
  const auto body = [](Loop& loop, bool& out) -> Task<void> {
    co_await run_on(loop, where_am_i());
    out = true;
  };
  sim.loop().post([&] {
    spawn(body(sim.loop(), done));
    EXPECT_TRUE(done);  // within the same job: no detour through a mailbox
  });
  sim.loop().run_ready();
}

TEST(RunOn, CarriesVoidAndMoveOnlyValues) {
  LoopThread here;
  LoopThread there;
  const auto set = [](std::atomic<int>& out) -> Task<void> {
    co_await yield_turn();
    out = 7;
  };
  const auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(35); };
  std::atomic<int> seen{0};
  const auto body = [](Loop& target, auto setter, auto maker, std::atomic<int>& out) -> Task<int> {
    co_await run_on(target, setter(out));
    const std::unique_ptr<int> made = co_await run_on(target, maker());
    co_return out + *made;
  };
  EXPECT_EQ(here.finish(body(there.loop(), set, make, seen)), 42);
}

// Notes the thread on which its last owner let go.
class Tracer {
 public:
  explicit Tracer(std::atomic<std::thread::id>& died_on) : died_on_(&died_on) {}
  Tracer(Tracer&& other) noexcept : died_on_(std::exchange(other.died_on_, nullptr)) {}
  Tracer& operator=(Tracer&&) = delete;
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() {
    if (died_on_ != nullptr) died_on_->store(std::this_thread::get_id());
  }

 private:
  std::atomic<std::thread::id>* died_on_;
};

TEST(RunOn, ParametersOfTheTaskDieOnTheThreadThatRanIt) {
  LoopThread here;
  LoopThread there;
  std::atomic<std::thread::id> died_on{};
  const auto hold = [](Tracer /*held*/, bool suspend) -> Task<int> {
    if (suspend) co_await yield_turn();
    co_return 1;
  };
  const auto body = [](Loop& target, auto holder, std::atomic<std::thread::id>& out,
                       bool suspend) -> Task<int> {
    Tracer tracer(out);
    co_return co_await run_on(target, holder(std::move(tracer), suspend));
  };
  for (const bool suspend : {false, true}) {
    died_on = std::thread::id();
    EXPECT_EQ(here.finish(body(there.loop(), hold, died_on, suspend)), 1);
    EXPECT_EQ(died_on.load(), there.id());
  }
}

Task<int> ping(Loop& one, Loop& other, int hops) {
  if (hops == 0) co_return 0;
  const int rest = co_await run_on(one, ping(other, one, hops - 1));
  co_return rest + 1;
}

TEST(RunOn, NestsBackAndForth) {
  LoopThread one;
  LoopThread other;
  EXPECT_EQ(one.finish(ping(other.loop(), one.loop(), 200)), 200);
}

TEST(RunOn, LosesNoneOfManyHopsInBothDirections) {
  constexpr int kTasks = 50;
  constexpr int kHops = 40;
  LoopThread one;
  LoopThread other;
  std::latch done(2 * kTasks);
  std::atomic<int> sum{0};
  const auto body = [](Loop& target, std::atomic<int>& total, std::latch& end) -> Task<void> {
    const auto unit = []() -> Task<int> {
      co_await yield_turn();
      co_return 1;
    };
    for (int i = 0; i < kHops; ++i) {
      const int got = co_await run_on(target, unit());
      total += got;
    }
    end.count_down();
  };
  for (int i = 0; i < kTasks; ++i) {
    one.loop().post([&] { spawn(body(other.loop(), sum, done)); });
    other.loop().post([&] { spawn(body(one.loop(), sum, done)); });
  }
  done.wait();
  EXPECT_EQ(sum.load(), 2 * kTasks * kHops);
}

}  // namespace
}  // namespace sftpfs::runtime
