// The loop's mailbox, ready queue, turn ends and its stop.
#include "runtime/loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/task.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

TEST(Loop, RunsJobsInTheOrderOfPosting) {
  SimulatedLoop sim;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) sim.loop().post([&order, i] { order.push_back(i); });
  EXPECT_TRUE(sim.loop().run_ready());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Loop, AnswersWhetherThereWasAnythingToDo) {
  SimulatedLoop sim;
  EXPECT_FALSE(sim.loop().run_ready());
  sim.loop().post([] {});
  EXPECT_TRUE(sim.loop().run_ready());
  EXPECT_FALSE(sim.loop().run_ready());
}

TEST(Loop, RunsWhatJobsPost) {
  SimulatedLoop sim;
  int depth = 0;
  sim.inside([&] {
    sim.loop().post([&] {
      ++depth;
      sim.loop().post([&] { ++depth; });
    });
  });
  EXPECT_EQ(depth, 2);
}

TEST(Loop, LosesNoJobOfManyThreadsAndKeepsEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 2000;
  std::array<int, kThreads> next{};
  bool in_order = true;
  {
    LoopThread worker;
    std::vector<std::jthread> posters;
    for (int t = 0; t < kThreads; ++t) {
      posters.emplace_back([&, t] {
        for (int i = 0; i < kJobs; ++i) {
          worker.loop().post([&, t, i] { in_order = in_order && next[t]++ == i; });
        }
      });
    }
  }  // posters are joined first, then the loop is stopped: what was posted before is done
  for (const int count : next) EXPECT_EQ(count, kJobs);
  EXPECT_TRUE(in_order);
}

TEST(Loop, WakesUpForEachOfManySinglePosts) {
  LoopThread worker;
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(worker.call([i] { return i; }), i);
  }
}

TEST(Loop, WakesUpForAPostThatComesWhileOneOfItsOwnWaits) {
  // The own post sets the flag that spares others the wake-up; it must not outlive that job.
  LoopThread worker;
  for (int i = 0; i < 200; ++i) {
    std::promise<void> done;
    worker.loop().post([&] { worker.loop().post([&] { done.set_value(); }); });
    done.get_future().get();
    EXPECT_EQ(worker.call([i] { return i; }), i);
  }
}

TEST(Loop, IsCurrentOnlyWithinItsTurn) {
  SimulatedLoop outer;
  SimulatedLoop inner;
  EXPECT_EQ(Loop::current(), nullptr);
  outer.inside([&] {
    EXPECT_EQ(Loop::current(), &outer.loop());
    inner.inside([&] { EXPECT_EQ(Loop::current(), &inner.loop()); });
    EXPECT_EQ(Loop::current(), &outer.loop());
  });
  EXPECT_EQ(Loop::current(), nullptr);
}

TEST(LoopStop, StillDoesWhatWasPostedBefore) {
  SteadyClock clock;
  Loop loop(clock);
  int done = 0;
  loop.post([&] {
    ++done;
    loop.post([&done] { ++done; });
  });
  loop.stop();
  loop.run();
  EXPECT_EQ(done, 2);
}

TEST(LoopStop, EndsALoopFromItsOwnThread) {
  SteadyClock clock;
  Loop loop(clock);
  bool after = false;
  loop.post([&] {
    loop.stop();
    loop.post([&after] { after = true; });
  });
  loop.run();
  EXPECT_TRUE(after);
}

TEST(LoopStop, EndsALoopThatSleeps) {
  for (int i = 0; i < 100; ++i) {
    LoopThread worker;
    if (i % 2 == 0) worker.call([] {});
  }
  SUCCEED();
}

TEST(LoopStop, DropsUnrunWhatComesAfterTheEnd) {
  const auto token = std::make_shared<int>(0);
  {
    SteadyClock clock;
    Loop loop(clock);
    loop.stop();
    loop.run();
    loop.post([token] { ++*token; });
  }
  EXPECT_EQ(*token, 0);
  EXPECT_EQ(token.use_count(), 1);
}

Task<void> spin_until(const bool& seen, int& turns) {
  while (!seen && turns < 10'000) {
    ++turns;
    co_await yield_turn();
  }
}

// Sets a flag when a byte can be read.
class Seen final : public IoHandler {
 public:
  explicit Seen(Loop& loop) : loop_(loop) {
    EXPECT_EQ(::pipe(fds_.data()), 0);
    EXPECT_TRUE(loop_.add_fd(fds_[0], EPOLLIN | EPOLLET, *this).has_value());
    EXPECT_EQ(::write(fds_[1], "x", 1), 1);
  }
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
  ~Seen() {
    loop_.remove_fd(fds_[0], *this);
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  void on_io(std::uint32_t /*events*/) override { seen = true; }
  bool seen = false;

 private:
  Loop& loop_;
  std::array<int, 2> fds_{};
};

TEST(LoopFairness, LooksAtDescriptorsWhileCoroutinesStayReady) {
  SimulatedLoop sim;
  Seen event(sim.loop());
  int turns = 0;
  sim.start(spin_until(event.seen, turns));
  EXPECT_TRUE(event.seen);
  EXPECT_LT(turns, 10);
}

TEST(LoopFairness, ResumesAtMostABatchBeforeItLooksAtDescriptors) {
  SimulatedLoop sim;
  Seen event(sim.loop());
  int resumed = 0;
  int before = 0;
  sim.loop().post([&] {
    for (int i = 0; i < 1000; ++i)
      spawn([](int& all, int& early, const bool& seen) -> Task<void> {
        co_await yield_turn();
        ++all;
        if (!seen) ++early;
      }(resumed, before, event.seen));
  });
  sim.loop().run_ready();
  EXPECT_EQ(resumed, 1000);
  EXPECT_LT(before, 1000);
}

class Flush final : public TurnEndHandler {
 public:
  explicit Flush(Loop& loop) : loop_(loop) {}
  void on_turn_end() override {
    ++calls;
    if (then) then();
  }
  void ask() { loop_.at_turn_end(*this); }
  int calls = 0;
  UniqueFunction then;

 private:
  Loop& loop_;
};

TEST(LoopTurnEnd, CallsOnceHoweverOftenAsked) {
  SimulatedLoop sim;
  Flush flush(sim.loop());
  sim.inside([&] {
    flush.ask();
    flush.ask();
    EXPECT_EQ(flush.calls, 0);
  });
  EXPECT_EQ(flush.calls, 1);
  sim.inside([] {});
  EXPECT_EQ(flush.calls, 1);
}

TEST(LoopTurnEnd, ComesAfterTheJobsAndCoroutinesOfTheTurn) {
  SimulatedLoop sim;
  Flush flush(sim.loop());
  int seen = -1;
  int work = 0;
  flush.then = [&] { seen = work; };
  sim.loop().post([&] {
    flush.ask();
    spawn([](int& count) -> Task<void> {
      co_await yield_turn();
      ++count;
    }(work));
  });
  sim.loop().post([&] { ++work; });
  sim.loop().run_ready();
  EXPECT_EQ(seen, 2);
}

TEST(LoopTurnEnd, ForgetsAHandler) {
  SimulatedLoop sim;
  Flush flush(sim.loop());
  sim.inside([&] {
    flush.ask();
    sim.loop().forget_turn_end(flush);
  });
  EXPECT_EQ(flush.calls, 0);
}

TEST(LoopTurnEnd, AHandlerMayForgetOneThatWouldComeLater) {
  SimulatedLoop sim;
  Flush first(sim.loop());
  auto second = std::make_unique<Flush>(sim.loop());
  first.then = [&] {
    sim.loop().forget_turn_end(*second);
    second.reset();
  };
  sim.inside([&] {
    first.ask();
    second->ask();
  });
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second, nullptr);
}

TEST(LoopTurnEnd, CallsAHandlerThatAnotherHandlerAskedFor) {
  SimulatedLoop sim;
  Flush first(sim.loop());
  Flush second(sim.loop());
  first.then = [&] { second.ask(); };
  sim.inside([&] { first.ask(); });
  EXPECT_EQ(second.calls, 1);
}

TEST(LoopTurnEnd, AHandlerThatAsksAgainDoesNotHideTheDescriptors) {
  SimulatedLoop sim;
  Seen event(sim.loop());
  Flush flush(sim.loop());
  flush.then = [&] {
    if (!event.seen && flush.calls < 1000) flush.ask();
  };
  sim.inside([&] { flush.ask(); });
  EXPECT_TRUE(event.seen);
  EXPECT_LT(flush.calls, 10);
}

TEST(LoopTurnEnd, WhatAHandlerPostsIsDoneBeforeTheLoopSleeps) {
  LoopThread worker;
  Flush flush(worker.loop());
  std::promise<void> done;
  flush.then = [&] { worker.loop().post([&done] { done.set_value(); }); };
  worker.call([&flush] { flush.ask(); });
  done.get_future().get();
  EXPECT_EQ(worker.call([&flush] { return flush.calls; }), 1);
}

}  // namespace
}  // namespace sftpfs::runtime
