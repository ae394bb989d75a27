// Call<T>: the answer to one request, to be awaited once.
//
//   Call<Attrs> attrs = client.lstat(path);            // queued now
//   Result<Attrs> result = co_await attrs.until(cancel);  // suspends until the reply
//
// Ownership: the caller owns the Call; the client keeps a share of its state. Destroying a Call
//            abandons it: the request stays sent, its reply is dropped (an opened handle is
//            closed, a read's destination is never touched again).
// Threads:   the client's loop only.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/cancel.h"
#include "runtime/loop.h"

namespace sftpfs::sftp {

// What the client completes and a Call awaits.
template <class T>
class CallState final : public runtime::CancelHook {
 public:
  // Completing twice, or after abandon(), is ignored: the result goes unclaimed.
  void complete(Result<T> result) {
    if (result_ || abandoned_) {
      give_up(std::move(result));
      return;
    }
    result_.emplace(std::move(result));
    wake();
  }
  bool done() const { return result_.has_value(); }
  bool abandoned() const { return abandoned_; }
  // Whether somebody still wants the result.
  bool wanted() const { return !result_ && !abandoned_; }
  void abandon() {
    abandoned_ = true;
    waiter_ = {};
    if (cancel_ != nullptr) std::exchange(cancel_, nullptr)->detach(*this);
    if (result_ && !taken_) give_up(std::move(*result_));
  }
  // Is given the result that came when nobody wanted it any more, or that nobody took.
  void if_unclaimed(std::function<void(Result<T>)> undo) { if_unclaimed_ = std::move(undo); }

  void start_wait(std::coroutine_handle<> waiter, runtime::Cancel* cancel) {
    waiter_ = waiter;
    loop_ = runtime::Loop::current();
    cancel_ = cancel;
    if (cancel_ != nullptr) cancel_->attach(*this);
  }
  Result<T> take() {
    SFTPFS_CHECK(result_.has_value() && !taken_);
    taken_ = true;
    return std::move(*result_);
  }
  void on_cancel() override {
    runtime::Cancel* cancel = std::exchange(cancel_, nullptr);
    complete(fail(cancel->error()));
  }

 private:
  void wake() {
    if (cancel_ != nullptr) std::exchange(cancel_, nullptr)->detach(*this);
    if (waiter_) loop_->schedule(std::exchange(waiter_, {}));
  }
  void give_up(Result<T> result) {
    if (if_unclaimed_) std::exchange(if_unclaimed_, {})(std::move(result));
  }

  std::optional<Result<T>> result_;
  std::coroutine_handle<> waiter_;
  runtime::Loop* loop_ = nullptr;  // on which the waiter waits
  runtime::Cancel* cancel_ = nullptr;
  std::function<void(Result<T>)> if_unclaimed_;
  bool abandoned_ = false;
  bool taken_ = false;
};

template <class T>
class [[nodiscard]] Call {
 public:
  explicit Call(std::shared_ptr<CallState<T>> state) : state_(std::move(state)) {}
  // A call that was never sent.
  explicit Call(Error error) : state_(std::make_shared<CallState<T>>()) {
    state_->complete(fail(std::move(error)));
  }
  Call(Call&& other) noexcept = default;
  Call& operator=(Call&& other) noexcept {
    if (this != &other) {
      forget();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { forget(); }

  // Ends the wait (not the request) with the error of `cancel`; null: never. By value, because
  // g++ 12 copies what an awaited call returns by reference.
  class Waiter {
   public:
    Waiter(CallState<T>& state, runtime::Cancel* cancel) : state_(state), cancel_(cancel) {}
    bool await_ready() {
      if (!state_.done() && cancel_ != nullptr && cancel_->cancelled()) {
        state_.complete(fail(cancel_->error()));
      }
      return state_.done();
    }
    void await_suspend(std::coroutine_handle<> waiter) { state_.start_wait(waiter, cancel_); }
    Result<T> await_resume() { return state_.take(); }

   private:
    CallState<T>& state_;
    runtime::Cancel* cancel_;
  };
  Waiter until(runtime::Cancel* cancel) & { return Waiter(*state_, cancel); }
  Call until(runtime::Cancel* cancel) && {
    cancel_ = cancel;
    return std::move(*this);
  }

  bool done() const { return state_->done(); }
  // The result of a call that is done(), without waiting.
  Result<T> take() { return state_->take(); }

  bool await_ready() { return Waiter(*state_, cancel_).await_ready(); }
  void await_suspend(std::coroutine_handle<> waiter) { state_->start_wait(waiter, cancel_); }
  Result<T> await_resume() { return take(); }

  // Lets the request run without anyone waiting for its answer.
  void forget() {
    if (state_) state_->abandon();
    state_.reset();
  }

 private:
  std::shared_ptr<CallState<T>> state_;
  runtime::Cancel* cancel_ = nullptr;
};

}  // namespace sftpfs::sftp
