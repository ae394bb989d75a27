// Signals as events: SIGTERM, SIGINT, SIGHUP and SIGUSR1 arrive on a loop instead of anywhere.
//
// Ownership: the wiring owns one SignalMask for its whole life, and one SignalWatcher.
// Threads:   SignalMask before other threads start (they inherit it), destroyed after they ended;
//            the watcher and its callback on the loop's thread.
// Limits:    children inherit the mask; who starts one resets it (posix_spawnattr_setsigmask).
#pragma once

#include <signal.h>

#include <functional>

#include "base/error.h"
#include "base/unique_fd.h"
#include "runtime/loop.h"

namespace sftpfs::app {

// Blocks them, ignores SIGPIPE (writing to a lost connection is an error, not an end), and
// restores both.
class SignalMask {
 public:
  // While one exists, a signal to this thread that ends programmes ends this one.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
  };

  SignalMask();
  ~SignalMask();
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;

 private:
  sigset_t previous_mask_{};
  struct sigaction previous_pipe_ {};
};

class SignalWatcher final : private runtime::IoHandler {
 public:
  using Callback = std::function<void(int signal)>;

  SignalWatcher(runtime::Loop& loop, Callback callback);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  // Needs a SignalMask. Signals that are pending already are delivered too.
  Status start();

 private:
  void on_io(std::uint32_t events) override;

  runtime::Loop& loop_;
  Callback callback_;
  UniqueFd fd_;
};

}  // namespace sftpfs::app
