// See app/signals.h.
#include "app/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "unit/app/child_process.h"

namespace sftpfs::app {
namespace {

TEST(Signals, ArriveOnTheLoopOneByOne) {
  const SignalMask mask;
  const SteadyClock clock;
  runtime::Loop loop(clock);
  std::vector<int> seen;
  SignalWatcher watcher(loop, [&seen](int signal) { seen.push_back(signal); });
  ASSERT_TRUE(watcher.start());
  EXPECT_FALSE(loop.run_ready());
  ::pthread_kill(::pthread_self(), SIGTERM);
  ::pthread_kill(::pthread_self(), SIGINT);
  ::pthread_kill(::pthread_self(), SIGHUP);
  EXPECT_TRUE(loop.run_ready());
  EXPECT_EQ(seen, (std::vector<int>{SIGHUP, SIGINT, SIGTERM}));
}

TEST(Signals, ThoseFromBeforeTheWatcherAreDeliveredToo) {
  const SignalMask mask;
  ::pthread_kill(::pthread_self(), SIGTERM);
  const SteadyClock clock;
  runtime::Loop loop(clock);
  int seen = 0;
  SignalWatcher watcher(loop, [&seen](int signal) { seen = signal; });
  ASSERT_TRUE(watcher.start());
  loop.run_ready();
  EXPECT_EQ(seen, SIGTERM);
}

TEST(Signals, TheCallbackMayEndTheWatcher) {
  const SignalMask mask;
  const SteadyClock clock;
  runtime::Loop loop(clock);
  std::optional<SignalWatcher> watcher;
  watcher.emplace(loop, [&watcher](int) { watcher.reset(); });
  ASSERT_TRUE(watcher->start());
  ::pthread_kill(::pthread_self(), SIGTERM);
  loop.run_ready();
  EXPECT_FALSE(watcher);
}

TEST(Signals, AWriteToALostConnectionIsAnErrorAndNoEnd) {
  const SignalMask mask;
  Pipe pipe;
  pipe.read_end.reset();
  EXPECT_EQ(::write(pipe.write_end.get(), "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST(Signals, TheMaskIsGoneWithItsOwner) {
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
  { const SignalMask mask; }
  sigset_t after;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &after);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    EXPECT_EQ(::sigismember(&before, signal), ::sigismember(&after, signal));
  }
  struct sigaction pipe {};
  ::sigaction(SIGPIPE, nullptr, &pipe);
  EXPECT_EQ(pipe.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace sftpfs::app
