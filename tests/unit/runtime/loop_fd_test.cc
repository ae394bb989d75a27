// Descriptors: who is told of an event, and who is not any more.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "runtime/loop.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
  void fill() const { EXPECT_EQ(::write(write_end.get(), "x", 1), 1); }
  void drain() const {
    std::array<char, 64> buffer{};
    while (::read(read_end.get(), buffer.data(), buffer.size()) > 0) {
    }
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

class Recorder final : public IoHandler {
 public:
  void on_io(std::uint32_t events) override {
    seen.push_back(events);
    if (then) then();
  }
  std::vector<std::uint32_t> seen;
  std::function<void()> then;
};

TEST(LoopFd, TellsTheHandlerWhatIsReady) {
  SimulatedLoop sim;
  const Pipe pipe;
  Recorder handler;
  handler.then = [&pipe] { pipe.drain(); };
  ASSERT_TRUE(sim.loop().add_fd(pipe.read_end.get(), EPOLLIN, handler).has_value());
  EXPECT_FALSE(sim.loop().run_ready());
  pipe.fill();
  EXPECT_TRUE(sim.loop().run_ready());
  ASSERT_EQ(handler.seen.size(), 1u);
  EXPECT_EQ(handler.seen[0], static_cast<std::uint32_t>(EPOLLIN));
  sim.loop().remove_fd(pipe.read_end.get(), handler);
}

TEST(LoopFd, TellsNobodyAfterRemoval) {
  SimulatedLoop sim;
  const Pipe pipe;
  Recorder handler;
  ASSERT_TRUE(sim.loop().add_fd(pipe.read_end.get(), EPOLLIN, handler).has_value());
  sim.loop().remove_fd(pipe.read_end.get(), handler);
  pipe.fill();
  EXPECT_FALSE(sim.loop().run_ready());
  EXPECT_TRUE(handler.seen.empty());
}

TEST(LoopFd, ModifyChangesTheEventsAndTheHandler) {
  SimulatedLoop sim;
  const Pipe pipe;
  Recorder first;
  Recorder second;
  Loop& loop = sim.loop();
  const int fd = pipe.write_end.get();
  ASSERT_TRUE(loop.add_fd(fd, 0, first).has_value());
  EXPECT_FALSE(loop.run_ready());
  ASSERT_TRUE(loop.modify_fd(fd, EPOLLOUT | EPOLLONESHOT, second).has_value());
  EXPECT_TRUE(loop.run_ready());
  EXPECT_TRUE(first.seen.empty());
  EXPECT_EQ(second.seen.size(), 1u);
  loop.remove_fd(fd, second);
}

TEST(LoopFd, AnswersErrorsOfTheKernelAndOfTheCaller) {
  SimulatedLoop sim;
  const Pipe pipe;
  Recorder handler;
  Loop& loop = sim.loop();
  const int fd = pipe.read_end.get();
  EXPECT_EQ(loop.modify_fd(fd, EPOLLIN, handler).error().os_errno(), ENOENT);
  ASSERT_TRUE(loop.add_fd(fd, EPOLLIN, handler).has_value());
  EXPECT_EQ(loop.add_fd(fd, EPOLLIN, handler).error().os_errno(), EEXIST);
  EXPECT_EQ(loop.add_fd(-1, EPOLLIN, handler).error().os_errno(), EBADF);
  loop.remove_fd(fd, handler);
  loop.remove_fd(fd, handler);  // the second time there is nothing to remove
  EXPECT_TRUE(loop.add_fd(fd, EPOLLIN, handler).has_value());
  loop.remove_fd(fd, handler);
}

TEST(LoopFd, AHandlerRemovedInsideABatchIsNotToldAnyMore) {
  SimulatedLoop sim;
  const Pipe one;
  const Pipe other;
  auto first = std::make_unique<Recorder>();
  auto second = std::make_unique<Recorder>();
  Loop& loop = sim.loop();
  int told = 0;
  // Whoever comes first removes and destroys the other.
  first->then = [&] {
    ++told;
    one.drain();
    loop.remove_fd(other.read_end.get(), *second);
    second.reset();
  };
  second->then = [&] {
    ++told;
    other.drain();
    loop.remove_fd(one.read_end.get(), *first);
    first.reset();
  };
  ASSERT_TRUE(loop.add_fd(one.read_end.get(), EPOLLIN, *first).has_value());
  ASSERT_TRUE(loop.add_fd(other.read_end.get(), EPOLLIN, *second).has_value());
  one.fill();
  other.fill();
  loop.run_ready();
  EXPECT_EQ(told, 1);
  if (first) loop.remove_fd(one.read_end.get(), *first);
  if (second) loop.remove_fd(other.read_end.get(), *second);
}

TEST(LoopFd, RemovalOfOneDescriptorLosesNoEdgeOfItsHandlersOtherOnes) {
  SimulatedLoop sim;
  const Pipe trigger;
  const Pipe one;
  const Pipe other;
  Recorder shared;
  Recorder remover;
  Loop& loop = sim.loop();
  remover.then = [&] {
    trigger.drain();
    loop.remove_fd(one.read_end.get(), shared);
  };
  ASSERT_TRUE(loop.add_fd(trigger.read_end.get(), EPOLLIN, remover).has_value());
  ASSERT_TRUE(loop.add_fd(one.read_end.get(), EPOLLIN | EPOLLET, shared).has_value());
  ASSERT_TRUE(loop.add_fd(other.read_end.get(), EPOLLIN | EPOLLET, shared).has_value());
  trigger.fill();
  one.fill();
  other.fill();
  loop.run_ready();
  // Ready descriptors come in the order of their readiness: `one` went before its event came.
  EXPECT_EQ(shared.seen.size(), 1u);
  loop.remove_fd(other.read_end.get(), shared);
  loop.remove_fd(trigger.read_end.get(), remover);
}

TEST(LoopFd, AnEventOfAClosedDescriptorIsNotGivenToItsSuccessor) {
  SimulatedLoop sim;
  const Pipe trigger;
  Pipe dying;
  const Pipe fresh;
  Recorder remover;
  Recorder old_handler;
  Recorder new_handler;
  Loop& loop = sim.loop();
  const int number = dying.read_end.get();
  remover.then = [&] {
    trigger.drain();
    loop.remove_fd(number, old_handler);
    // The same number, now an end of another, empty pipe.
    ASSERT_EQ(::dup2(fresh.read_end.get(), number), number);
    ASSERT_TRUE(loop.add_fd(number, EPOLLIN, new_handler).has_value());
  };
  ASSERT_TRUE(loop.add_fd(trigger.read_end.get(), EPOLLIN, remover).has_value());
  ASSERT_TRUE(loop.add_fd(number, EPOLLIN, old_handler).has_value());
  trigger.fill();
  dying.fill();
  loop.run_ready();
  EXPECT_TRUE(old_handler.seen.empty());
  EXPECT_TRUE(new_handler.seen.empty());
  loop.remove_fd(number, new_handler);
  loop.remove_fd(trigger.read_end.get(), remover);
}

TEST(LoopFd, ServesMoreReadyDescriptorsThanOneBatchHolds) {
  SimulatedLoop sim;
  constexpr int kPipes = 150;
  std::vector<Pipe> pipes(kPipes);
  std::vector<Recorder> handlers(kPipes);
  for (int i = 0; i < kPipes; ++i) {
    const Pipe& pipe = pipes[static_cast<std::size_t>(i)];
    Recorder& handler = handlers[static_cast<std::size_t>(i)];
    handler.then = [&pipe] { pipe.drain(); };
    ASSERT_TRUE(sim.loop().add_fd(pipe.read_end.get(), EPOLLIN, handler).has_value());
    pipe.fill();
  }
  sim.loop().run_ready();
  for (int i = 0; i < kPipes; ++i) {
    EXPECT_EQ(handlers[static_cast<std::size_t>(i)].seen.size(), 1u);
    sim.loop().remove_fd(pipes[static_cast<std::size_t>(i)].read_end.get(),
                         handlers[static_cast<std::size_t>(i)]);
  }
}

TEST(LoopFd, AJobPostedByAHandlerRunsThoughTheLoopWasAsleep) {
  LoopThread worker;
  const Pipe pipe;
  Recorder handler;
  std::promise<void> done;
  handler.then = [&] {
    pipe.drain();
    worker.loop().post([&done] { done.set_value(); });
  };
  worker.call([&] {
    ASSERT_TRUE(worker.loop().add_fd(pipe.read_end.get(), EPOLLIN, handler).has_value());
  });
  pipe.fill();
  done.get_future().get();
  worker.call([&] { worker.loop().remove_fd(pipe.read_end.get(), handler); });
  EXPECT_EQ(handler.seen.size(), 1u);
}

}  // namespace
}  // namespace sftpfs::runtime
