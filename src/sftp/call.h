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
  // Completing twice, or after abandon(), is ignored.
  void complete(Result<T> result) {
    if (result_ || abandoned_) return;
    result_.emplace(std::move(result));
    wake();
  }
  bool done() const { return result_.has_value(); }
  bool abandoned() const { return abandoned_; }
  void abandon() { abandoned_ = true; }

  bool start_wait(std::coroutine_handle<> waiter, runtime::Cancel* cancel) {
    waiter_ = waiter;
    cancel_ = cancel;
    if (cancel_ != nullptr) cancel_->attach(*this);
    return true;
  }
  Result<T> take() {
    SFTPFS_CHECK(result_.has_value());
    return std::move(*result_);
  }
  void on_cancel() override {
    runtime::Cancel* cancel = std::exchange(cancel_, nullptr);
    complete(fail(cancel->error()));
  }

 private:
  void wake() {
    if (cancel_ != nullptr) std::exchange(cancel_, nullptr)->detach(*this);
    if (waiter_) runtime::Loop::current()->schedule(std::exchange(waiter_, {}));
  }
  std::optional<Result<T>> result_;
  std::coroutine_handle<> waiter_;
  runtime::Cancel* cancel_ = nullptr;
  bool abandoned_ = false;
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

  // Ends the wait (not the request) with the error of `cancel`; null: never.
  Call& until(runtime::Cancel* cancel) & {
    cancel_ = cancel;
    return *this;
  }
  Call&& until(runtime::Cancel* cancel) && {
    cancel_ = cancel;
    return std::move(*this);
  }

  bool done() const { return state_->done(); }

  bool await_ready() {
    if (!state_->done() && cancel_ != nullptr && cancel_->cancelled()) {
      state_->complete(fail(cancel_->error()));
    }
    return state_->done();
  }
  bool await_suspend(std::coroutine_handle<> waiter) {
    return state_->start_wait(waiter, cancel_);
  }
  Result<T> await_resume() { return state_->take(); }

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
