// Task<T>: a lazy coroutine that runs on one loop, is awaited once and yields a T.
//
// Ownership: whoever holds the Task owns the frame; spawn() hands it to the loop.
// Threads:   a coroutine never changes its thread. run_on() (hop.h) carries the result instead.
// Limits:    no exceptions leave a coroutine: one that would ends the process.
//
// There is no symmetric transfer: g++ 12 overflows the stack with it in every sanitizer build.
// co_await starts the child in place; a child that had to suspend posts its parent to the loop's
// ready queue when it ends. The shapes a co_await may take are in docs/ARCHITECTURE.md
// ("Coroutines"), because g++ 12 miscompiles others; scripts/check-coroutines enforces them.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/check.h"
#include "runtime/loop.h"

namespace sftpfs::runtime {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      PromiseBase& promise = self.promise();
      if (!promise.parent || promise.starting) return;
      SFTPFS_CHECK(Loop::current() != nullptr);
      Loop::current()->schedule(promise.parent);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  std::coroutine_handle<> parent;
  bool starting = false;  // the parent is still inside await_suspend and goes on by itself
};

template <class T>
struct Promise : PromiseBase {
  Task<T> get_return_object();
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() { return std::move(*value); }
  std::optional<T> value;
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const noexcept {}
};

// A coroutine nobody waits for; its frame frees itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) {
    SFTPFS_CHECK(handle_ && !handle_.promise().parent);  // neither moved away nor awaited before
    detail::PromiseBase& promise = handle_.promise();
    promise.parent = parent;
    promise.starting = true;
    handle_.resume();
    if (handle_.done()) return false;
    promise.starting = false;
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

inline Detached run_detached(Task<void> task) { co_await std::move(task); }

}  // namespace detail

// Starts `task` now, on the current loop, and lets it go.
inline void spawn(Task<void> task) {
  SFTPFS_CHECK(Loop::current() != nullptr);
  detail::run_detached(std::move(task));
}

}  // namespace sftpfs::runtime
