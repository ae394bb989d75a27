// What the runtime's tests stand on: a loop in simulated time that is turned by hand, and a loop
// that runs in a thread of its own.
//
// Ownership: the fixtures own their loops; a task started on one must have ended before it dies.
// Threads:   SimulatedLoop: one thread. LoopThread: from any thread.
// Limits:    none.
#pragma once

#include <coroutine>
#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "base/unique_function.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace sftpfs::runtime {

// Lets everything else that is ready go first.
struct Yield {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const { Loop::current()->schedule(handle); }
  void await_resume() const noexcept {}
};
inline Yield yield_turn() { return Yield(); }

class SimulatedLoop {
 public:
  Loop& loop() { return loop_; }
  ManualClock& clock() { return clock_; }

  // Runs `job` inside a turn, and all that follows from it without time passing.
  void inside(UniqueFunction job) {
    loop_.post(std::move(job));
    loop_.run_ready();
  }
  void start(Task<void> task) {
    inside([task = std::move(task)]() mutable { spawn(std::move(task)); });
  }
  void pass(Duration by) {
    clock_.advance(by);
    loop_.run_ready();
  }

 private:
  ManualClock clock_;
  Loop loop_{clock_};
};

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() { loop_.stop(); }  // then thread_ is joined
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  Loop& loop() { return loop_; }
  std::thread::id id() const { return thread_.get_id(); }

  // Runs `job` on the loop and waits for it.
  template <class F>
  auto call(F job) {
    std::promise<std::invoke_result_t<F&>> done;
    auto result = done.get_future();
    loop_.post([&job, &done] {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        job();
        done.set_value();
      } else {
        done.set_value(job());
      }
    });
    return result.get();
  }
  // Runs `task` on the loop to its end and yields its value.
  template <class T>
  T finish(Task<T> task) {
    auto done = std::make_shared<std::promise<T>>();
    auto result = done->get_future();
    loop_.post([task = std::move(task), done]() mutable { spawn(deliver(std::move(task), done)); });
    return result.get();
  }

 private:
  template <class T>
  static Task<void> deliver(Task<T> task, std::shared_ptr<std::promise<T>> done) {
    T value = co_await std::move(task);
    done->set_value(std::move(value));
  }

  SteadyClock clock_;
  Loop loop_{clock_};
  std::jthread thread_;
};

}  // namespace sftpfs::runtime
