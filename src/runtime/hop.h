// run_on(): runs a task on another worker's loop and resumes here with its result.
//
// Ownership: the task, with its parameters, is handed to `target` and dies there.
// Threads:   the task's body runs on `target`'s thread from start to end; the caller stays on its
//            own. What the task refers to must be safe to use there and outlive it.
// Limits:    both loops must run until the result is back: a hop to a loop that has ended never
//            resumes. Drain operations (Gate) before stopping loops.
#pragma once

#include <optional>
#include <utility>

#include "runtime/loop.h"
#include "runtime/task.h"

namespace sftpfs::runtime {

namespace detail {

template <class T>
class Hop {
 public:
  Hop(Loop& target, Task<T> task)
      : origin_(*Loop::current()), target_(target), task_(std::move(task)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    target_.post([this] { run(*this); });
  }
  T await_resume() { return std::move(*result_); }

 private:
  static Detached run(Hop& hop) {
    {
      // A frame keeps its parameters until it dies, and they may belong to this thread.
      Task<T> task = std::move(hop.task_);
      T result = co_await std::move(task);
      hop.result_.emplace(std::move(result));
    }
    // Last touch of *this: the origin may destroy it at once.
    hop.origin_.post_resume(hop.waiter_);
  }

  Loop& origin_;
  Loop& target_;
  Task<T> task_;
  std::optional<T> result_;
  std::coroutine_handle<> waiter_;
};

// A hop carries a value; void becomes one.
inline Task<bool> completed(Task<void> task) {
  co_await std::move(task);
  co_return true;
}

}  // namespace detail

template <class T>
Task<T> run_on(Loop& target, Task<T> task) {
  if (&target == Loop::current()) {
    co_return co_await std::move(task);
  }
  detail::Hop<T> hop(target, std::move(task));
  co_return co_await hop;
}

inline Task<void> run_on(Loop& target, Task<void> task) {
  co_await run_on(target, detail::completed(std::move(task)));
}

}  // namespace sftpfs::runtime
