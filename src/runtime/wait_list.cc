// See wait_list.h.
#include "runtime/wait_list.h"

#include "base/check.h"
#include "runtime/loop.h"

namespace sftpfs::runtime {

WaitList::Awaiter::~Awaiter() { SFTPFS_CHECK(!waiting_); }

void WaitList::Awaiter::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  position_ = list_.waiters_.insert(list_.waiters_.end(), this);
  waiting_ = true;
  if (cancel_ != nullptr) cancel_->attach(*this);
}

void WaitList::Awaiter::on_cancel() {
  list_.waiters_.erase(position_);
  waiting_ = false;
  Loop::current()->schedule(handle_);
}

WaitList::~WaitList() { SFTPFS_CHECK(waiters_.empty()); }

void WaitList::release(Awaiter& waiter) {
  if (waiter.cancel_ != nullptr) waiter.cancel_->detach(waiter);
  waiter.waiting_ = false;
  waiter.notified_ = true;
  SFTPFS_CHECK(Loop::current() != nullptr);
  Loop::current()->schedule(waiter.handle_);
}

void WaitList::notify_one() {
  if (waiters_.empty()) return;
  Awaiter* waiter = waiters_.front();
  waiters_.pop_front();
  release(*waiter);
}

void WaitList::notify_all() {
  while (!waiters_.empty()) notify_one();
}

Semaphore::~Semaphore() { SFTPFS_CHECK(pending_.empty()); }

bool Semaphore::fits(std::size_t units) const {
  if (in_use_ == 0) return true;
  return in_use_ <= capacity_ && units <= capacity_ - in_use_;
}

bool Semaphore::try_acquire(std::size_t units) {
  if (!pending_.empty() || !fits(units)) return false;
  in_use_ += units;
  return true;
}

Task<Status> Semaphore::acquire(std::size_t units, Cancel* cancel) {
  if (try_acquire(units)) co_return Status();
  Pending pending(units);
  pending_.push_back(&pending);
  const bool notified = co_await pending.wake.wait(cancel);
  if (notified) co_return Status();
  if (pending.granted) {
    release(units);  // granted and cancelled in the same turn
  } else {
    pending_.remove(&pending);
    grant_waiting();
  }
  co_return fail(cancel->error());
}

void Semaphore::release(std::size_t units) {
  SFTPFS_CHECK(units <= in_use_);
  in_use_ -= units;
  grant_waiting();
}

void Semaphore::set_capacity(std::size_t capacity) {
  capacity_ = capacity;
  grant_waiting();
}

void Semaphore::grant_waiting() {
  while (!pending_.empty() && fits(pending_.front()->units)) {
    Pending* next = pending_.front();
    pending_.pop_front();
    in_use_ += next->units;
    next->granted = true;
    next->wake.notify_one();
  }
}

bool Gate::enter() {
  if (closed_) return false;
  ++inside_;
  return true;
}

void Gate::leave() {
  SFTPFS_CHECK(inside_ > 0);
  --inside_;
  if (inside_ == 0) waiters_.notify_all();
}

Task<void> Gate::drained() {
  while (inside_ > 0) {
    co_await waiters_.wait();
  }
}

Task<Status> Gate::drained(Cancel* cancel) {
  while (inside_ > 0) {
    const bool notified = co_await waiters_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  co_return Status();
}

void AsyncMutex::Lock::unlock() {
  AsyncMutex* mutex = std::exchange(mutex_, nullptr);
  if (mutex == nullptr) return;
  // Handed over directly when somebody waits: locked_ stays true.
  if (mutex->waiters_.empty()) {
    mutex->locked_ = false;
  } else {
    mutex->waiters_.notify_one();
  }
}

Task<Result<AsyncMutex::Lock>> AsyncMutex::lock(Cancel* cancel) {
  if (locked_) {
    const bool notified = co_await waiters_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  locked_ = true;
  co_return Result<Lock>(Lock(this));
}

Task<Status> sleep_for(Duration delay, Cancel* cancel) {
  WaitList expired;
  Timer timer(*Loop::current());
  timer.start_after(delay, [&expired] { expired.notify_all(); });
  const bool notified = co_await expired.wait(cancel);
  if (!notified) co_return fail(cancel->error());
  co_return Status();
}

}  // namespace sftpfs::runtime
