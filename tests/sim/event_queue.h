// EventQueue: what happens outside of the programme under test, in simulated time. It runs as one
// timer of a loop, so that events arrive on a loop's thread and wake nobody by a system call.
//
// Ownership: the World; handlers outlive it.
// Threads:   the loop's thread.
// Limits:    events of one moment happen in the order in which they were asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "runtime/loop.h"

namespace sftpfs::sim {

class EventHandler {
 public:
  virtual void on_event(unsigned what) = 0;

 protected:
  ~EventHandler() = default;
};

class EventQueue {
 public:
  explicit EventQueue(runtime::Loop& loop) : loop_(loop), timer_(loop) {}

  TimePoint now() const { return loop_.now(); }
  void at(TimePoint when, EventHandler& handler, unsigned what) {
    heap_.push_back(Event{when, ++sequence_, &handler, what});
    std::push_heap(heap_.begin(), heap_.end(), later);
    if (!running_ && heap_.front().sequence == sequence_) arm();
  }
  void clear() {
    heap_.clear();
    timer_.cancel();
  }

 private:
  struct Event {
    TimePoint when;
    std::uint64_t sequence;
    EventHandler* handler;
    unsigned what;
  };
  static bool later(const Event& a, const Event& b) {
    return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
  }
  void arm() {
    timer_.start_at(heap_.front().when, [this] { run(); });
  }
  void run() {
    running_ = true;
    const TimePoint due = now();
    while (!heap_.empty() && heap_.front().when <= due) {
      const Event event = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), later);
      heap_.pop_back();
      event.handler->on_event(event.what);
    }
    running_ = false;
    if (!heap_.empty()) arm();
  }

  runtime::Loop& loop_;
  runtime::Timer timer_;
  std::vector<Event> heap_;
  std::uint64_t sequence_ = 0;
  bool running_ = false;
};

}  // namespace sftpfs::sim
