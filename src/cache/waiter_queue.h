// WaiterQueue: who waits for one slot, first come first served, linked through the waiters.
//
// Ownership: of nothing; a Waiter in the queue must stay alive until it is taken out.
// Threads:   the shard's mutex protects queue and links. A Chain that was taken belongs to the
//            thread that took it, and is read without the mutex.
#pragma once

#include <cstdint>

#include "cache/block_cache.h"

namespace sftpfs::cache {

class WaiterQueue {
 public:
  // Waiters taken out together, to be woken outside the lock.
  class Chain {
   public:
    std::uint32_t size() const { return size_; }
    // The next to be woken, or null. It may die in its wake(), so the chain moves on first.
    Waiter* pop() {
      WaiterLinks* waiter = oldest_;
      if (waiter != nullptr) oldest_ = waiter->newer_;
      return static_cast<Waiter*>(waiter);
    }

   private:
    friend class WaiterQueue;
    WaiterLinks* oldest_ = nullptr;
    std::uint32_t size_ = 0;
  };

  bool empty() const { return oldest_ == nullptr; }

  void push(Waiter& waiter, Slot& slot) {
    WaiterLinks& links = waiter;
    SFTPFS_CHECK(links.awaited_ == nullptr);
    links.awaited_ = &slot;
    links.older_ = newest_;
    links.newer_ = nullptr;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = &links;
    newest_ = &links;
  }

  void remove(Waiter& waiter) {
    WaiterLinks& links = waiter;
    (links.older_ != nullptr ? links.older_->newer_ : oldest_) = links.newer_;
    (links.newer_ != nullptr ? links.newer_->older_ : newest_) = links.older_;
    links.awaited_ = nullptr;
  }

  // From here on awaited() is null for each of them: they are "just being woken".
  Chain take_all() {
    Chain chain;
    chain.oldest_ = oldest_;
    for (WaiterLinks* waiter = oldest_; waiter != nullptr; waiter = waiter->newer_) {
      waiter->awaited_ = nullptr;
      ++chain.size_;
    }
    oldest_ = newest_ = nullptr;
    return chain;
  }

  // The slot in whose queue `waiter` is, or null.
  static Slot* awaited(const Waiter& waiter) {
    const WaiterLinks& links = waiter;
    return links.awaited_;
  }

 private:
  WaiterLinks* oldest_ = nullptr;
  WaiterLinks* newest_ = nullptr;
};

}  // namespace sftpfs::cache
