// Patience: how long one attempt to connect may still take, and whether it is still wanted.
//
// Ownership: the attempt owns its Patience; an Interrupt belongs to whoever may end the attempt.
// Threads:   Interrupt::raise() and raised() from any thread, the rest by the attempt's thread.
// Limits:    the clock counts time asleep (base/clock.h), so a resumed laptop does not wait on.
#pragma once

#include <poll.h>

#include <atomic>
#include <span>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::ssh {

// Goes up once and stays up; its descriptor becomes readable, so poll() sees it.
class Interrupt {
 public:
  Interrupt();
  void raise();
  bool raised() const { return raised_.load(std::memory_order_acquire); }
  int fd() const { return event_.get(); }

 private:
  UniqueFd event_;
  std::atomic<bool> raised_{false};
};

class Patience {
 public:
  // `interrupt` may be null.
  Patience(Duration budget, const Interrupt* interrupt)
      : interrupt_(interrupt), deadline_(clock_.now() + budget) {}

  // While one exists the clock stands still: a person is typing.
  class Pause {
   public:
    explicit Pause(Patience& patience) : patience_(patience), begun_(patience.clock_.now()) {}
    ~Pause() { patience_.deadline_ += patience_.clock_.now() - begun_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Patience& patience_;
    TimePoint begun_;
  };

  // A new phase with a budget of its own.
  void restart(Duration budget) { deadline_ = clock_.now() + budget; }
  const Interrupt* interrupt() const { return interrupt_; }
  // kCancelled when interrupted, kTimedOut when time is up.
  Status check() const;

  // poll(2), but at most for `at_most`: how many of `fds` are ready, 0 when that time is over.
  Result<int> poll(std::span<pollfd> fds, Duration at_most) const;
  // Until `fd` is ready for `events`.
  Status wait(int fd, short events) const;

 private:
  SteadyClock clock_;
  const Interrupt* interrupt_;
  TimePoint deadline_;
};

}  // namespace sftpfs::ssh
