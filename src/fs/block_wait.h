// BlockWait: a coroutine's wait for a cache block that somebody else is loading.
//
// Threads: made and awaited on one loop; wake() may come from the filler's thread and only posts.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "cache/block_cache.h"
#include "runtime/cancel.h"
#include "runtime/loop.h"

namespace sftpfs::fs {

class BlockWait final : public cache::Waiter, public runtime::CancelHook {
 public:
  BlockWait(cache::BlockCache& cache, const cache::BlockKey& key, runtime::Cancel* cancel)
      : cache_(cache), key_(key), cancel_(cancel), loop_(*runtime::Loop::current()) {}
  BlockWait(const BlockWait&) = delete;
  BlockWait& operator=(const BlockWait&) = delete;

  // Asks the cache with this as the waiter. Only when it answers Waiting may (and must) *this be
  // awaited.
  cache::Lookup get() { return cache_.get(key_, this); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    suspended_ = true;
    if (outcome_) {
      loop_.schedule(handle_);
    } else if (cancel_ != nullptr) {
      cancel_->attach(*this);
    }
  }
  Result<cache::Pin> await_resume() { return std::move(*outcome_); }

  // The filler's thread. What the loop runs later is on the waiter's own thread.
  void wake(Result<cache::Pin> outcome) noexcept override {
    if (runtime::Loop::current() == &loop_) {
      finish(std::move(outcome));
      return;
    }
    loop_.post([this, moved = std::move(outcome)]() mutable { finish(std::move(moved)); });
  }

  void on_cancel() override {
    runtime::Cancel* cancel = std::exchange(cancel_, nullptr);
    // False: the outcome is on its way, and there will be no second.
    if (cache_.cancel_wait(key_, *this)) finish(fail(cancel->error()));
  }

 private:
  void finish(Result<cache::Pin> outcome) {
    if (cancel_ != nullptr) std::exchange(cancel_, nullptr)->detach(*this);
    outcome_.emplace(std::move(outcome));
    if (suspended_) loop_.schedule(handle_);
  }

  cache::BlockCache& cache_;
  const cache::BlockKey key_;
  runtime::Cancel* cancel_;
  runtime::Loop& loop_;
  std::coroutine_handle<> handle_;
  bool suspended_ = false;
  std::optional<Result<cache::Pin>> outcome_;
};

}  // namespace sftpfs::fs
