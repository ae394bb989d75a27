// One thread's event loop: ready coroutines, a mailbox for other threads, timers, descriptors.
//
// Ownership: a worker owns its loop; everything registered with it belongs to that worker. A loop
//            outlives every call of post() and stop(): join the threads that call them first.
// Threads:   post(), post_resume() and stop() may be called by any thread; everything else only
//            by the thread that runs the loop (or, before run(), by the one that sets it up).
// Limits:    none on queues: callers bound what they have in flight. Timers follow the machine's
//            boot clock while run() sleeps; with a ManualClock use run_ready().
//
// One turn: mailbox -> due timers -> ready coroutines -> turn-end handlers (flush output that the
// turn has gathered) -> epoll. Coroutines are resumed from the ready queue, never nested inside
// each other's resumption, so the stack stays flat (docs/ARCHITECTURE.md, "Coroutines").
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "base/unique_function.h"

namespace sftpfs::runtime {

// Is told when its descriptor is ready; `events` are EPOLL* bits.
class IoHandler {
 public:
  virtual void on_io(std::uint32_t events) = 0;

 protected:
  ~IoHandler() = default;
};

// Is called once at the end of the turn for which it asked.
class TurnEndHandler {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEndHandler() = default;
};

class Loop {
 public:
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The loop whose turn is running on this thread, or nullptr.
  static Loop* current();

  const Clock& clock() const { return clock_; }
  TimePoint now() const { return clock_.now(); }

  // Serves until stop(), which is final. Work posted before stop(), and what follows from it
  // without waiting, is still done; what is posted after run() has returned is dropped unrun.
  void run();
  void stop();

  // Does everything that can be done without waiting and returns whether there was anything:
  // what tests and the simulator call in place of run().
  bool run_ready();
  // When the earliest timer is due.
  std::optional<TimePoint> next_deadline() const;

  void post(UniqueFunction job);
  void post_resume(std::coroutine_handle<> handle);
  void schedule(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  // A handler that asks twice in one turn is called once; one that asks while handlers are being
  // called waits for the end of the next turn, so that descriptors are looked at in between.
  void at_turn_end(TurnEndHandler& handler);
  void forget_turn_end(TurnEndHandler& handler);

  // A descriptor has one handler; a handler may have several descriptors. It must be removed
  // before the handler or the descriptor dies; an event already fetched is then not delivered.
  Status add_fd(int fd, std::uint32_t events, IoHandler& handler);
  Status modify_fd(int fd, std::uint32_t events, IoHandler& handler);
  void remove_fd(int fd, IoHandler& handler);

 private:
  friend class Timer;
  // An event carries {serial, fd}, not a pointer: one fetched before its descriptor was removed
  // no longer matches, even when the number of the descriptor has been used again.
  struct Registration {
    IoHandler* handler;
    std::uint32_t serial;
  };
  using TimerKey = std::pair<TimePoint, std::uint64_t>;

  class Current;
  bool turn();
  bool run_mailbox();
  bool run_timers();
  bool run_ready_queue();
  bool run_turn_end();
  bool poll(int timeout_ms);
  void dispatch(const epoll_event& event);
  void arm_timer_fd();
  void wake();

  const Clock& clock_;
  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_fd_;
  std::optional<TimePoint> armed_for_;
  std::atomic<bool> stopping_{false};

  std::deque<std::coroutine_handle<>> ready_;
  std::vector<TurnEndHandler*> turn_end_;
  std::map<TimerKey, class Timer*> timers_;
  std::uint64_t timer_sequence_ = 0;

  std::vector<epoll_event> events_;  // the batch in hand
  std::unordered_map<int, Registration> registrations_;
  std::uint32_t next_serial_ = 1;  // 0: the loop's own descriptors

  std::mutex mailbox_mutex_;
  std::vector<UniqueFunction> mailbox_;  // guarded by mailbox_mutex_
  bool wake_pending_ = false;            // guarded by mailbox_mutex_
};

// Calls back once, at or after its time, on the loop's thread. Destroying or resetting it
// cancels. Belongs to the loop's thread.
class Timer {
 public:
  explicit Timer(Loop& loop) : loop_(loop) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start_at(TimePoint when, UniqueFunction callback);
  // Duration::max() is "never".
  void start_after(Duration delay, UniqueFunction callback);
  void cancel();
  bool active() const { return key_.has_value(); }

 private:
  friend class Loop;
  Loop& loop_;
  std::optional<Loop::TimerKey> key_;
  UniqueFunction callback_;
};

}  // namespace sftpfs::runtime
