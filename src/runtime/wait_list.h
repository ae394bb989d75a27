// WaitList: coroutines of one loop that wait for a condition, first come first served; and what
// is built on it: Semaphore (bounded bytes or slots), Gate (drain), AsyncMutex, sleep_for().
//
// Ownership: the object that has the condition; it must outlive its waiters (checked).
// Threads:   one loop's thread only.
// Limits:    a notified waiter must look at its condition again: another may have been faster.
#pragma once

#include <coroutine>
#include <cstddef>
#include <list>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/cancel.h"
#include "runtime/task.h"

namespace sftpfs::runtime {

class WaitList {
 public:
  // Yields true when notified, false when cancelled.
  class Awaiter final : public CancelHook {
   public:
    Awaiter(WaitList& list, Cancel* cancel) : list_(list), cancel_(cancel) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter();

    bool await_ready() const { return cancel_ != nullptr && cancel_->cancelled(); }
    void await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const { return notified_; }
    void on_cancel() override;

   private:
    friend class WaitList;
    WaitList& list_;
    Cancel* cancel_;
    std::coroutine_handle<> handle_;
    std::list<Awaiter*>::iterator position_;
    bool waiting_ = false;
    bool notified_ = false;
  };

  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList();

  // `cancel` may be null; else it must outlive the wait.
  Awaiter wait(Cancel* cancel = nullptr) { return Awaiter(*this, cancel); }
  void notify_one();
  void notify_all();
  bool empty() const { return waiters_.empty(); }
  std::size_t size() const { return waiters_.size(); }

 private:
  void release(Awaiter& waiter);
  std::list<Awaiter*> waiters_;
};

// Counts units (bytes, slots). Waiters are served in order, so a large request is not starved by
// small ones; one larger than the whole capacity is granted when everything else is free.
class Semaphore {
 public:
  explicit Semaphore(std::size_t capacity) : capacity_(capacity) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore();

  Task<Status> acquire(std::size_t units, Cancel* cancel);
  bool try_acquire(std::size_t units);
  void release(std::size_t units);
  void set_capacity(std::size_t capacity);
  std::size_t in_use() const { return in_use_; }
  std::size_t capacity() const { return capacity_; }

 private:
  struct Pending {
    explicit Pending(std::size_t wanted) : units(wanted) {}
    std::size_t units;
    bool granted = false;
    WaitList wake;
  };
  bool fits(std::size_t units) const;
  void grant_waiting();
  std::size_t capacity_;
  std::size_t in_use_ = 0;
  std::list<Pending*> pending_;
};

// Counts operations under way and tells when the last has left after close().
class Gate {
 public:
  // False once closed.
  bool enter();
  void leave();
  void close() { closed_ = true; }
  bool closed() const { return closed_; }
  std::size_t inside() const { return inside_; }
  // Resumes when nobody is inside.
  Task<void> drained();
  // The same, unless `cancel` ends the wait.
  Task<Status> drained(Cancel* cancel);

 private:
  std::size_t inside_ = 0;
  bool closed_ = false;
  WaitList waiters_;
};

// Mutual exclusion between coroutines of one loop, held across suspensions.
class AsyncMutex {
 public:
  class [[nodiscard]] Lock {
   public:
    Lock() = default;
    explicit Lock(AsyncMutex* mutex) : mutex_(mutex) {}
    Lock(Lock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Lock& operator=(Lock&& other) noexcept {
      if (this != &other) {
        unlock();
        mutex_ = std::exchange(other.mutex_, nullptr);
      }
      return *this;
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { unlock(); }
    void unlock();

   private:
    AsyncMutex* mutex_ = nullptr;
  };

  Task<Result<Lock>> lock(Cancel* cancel);
  bool locked() const { return locked_; }

 private:
  bool locked_ = false;
  WaitList waiters_;
};

// Resumes after `delay`, or at once with the error of `cancel`.
Task<Status> sleep_for(Duration delay, Cancel* cancel);

}  // namespace sftpfs::runtime
