// Cancel: one operation's "stop waiting", set by a signal, a deadline or the end of the mount.
//
// Ownership: shared by the operation and by whoever may cancel it (the FUSE layer).
// Threads:   cancel() and reason() from any thread; a hook is attached, called and detached on
//            the thread of the loop on which it waits.
// Limits:    one reason, the first; cancelling ends waits, never the effects already sent.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/error.h"

namespace sftpfs::runtime {

class Loop;

enum class CancelReason : unsigned char { kNone, kInterrupted, kTimedOut, kShutdown };

// A wait that can be cut short.
class CancelHook {
 public:
  // On the waiting loop's thread; the hook is already detached.
  virtual void on_cancel() = 0;

 protected:
  ~CancelHook() = default;
};

class Cancel : public std::enable_shared_from_this<Cancel> {
 public:
  static std::shared_ptr<Cancel> create() { return std::make_shared<Cancel>(); }

  void cancel(CancelReason reason);
  CancelReason reason() const { return reason_.load(std::memory_order_acquire); }
  bool cancelled() const { return reason() != CancelReason::kNone; }
  // The error a cancelled wait ends with: kCancelled, kTimedOut or kShutdown.
  Error error() const;

  // After attach() the hook is called once if cancel() has been or is called, unless detached.
  void attach(CancelHook& hook);
  void detach(CancelHook& hook);

 private:
  struct Entry {
    CancelHook* hook;
    Loop* loop;
  };
  void deliver(Loop* loop);

  std::atomic<CancelReason> reason_{CancelReason::kNone};
  std::mutex mutex_;
  std::vector<Entry> hooks_;  // guarded by mutex_; changed only on each entry's own loop
};

}  // namespace sftpfs::runtime
