// See cancel.h.
#include "runtime/cancel.h"

#include <algorithm>

#include "base/check.h"
#include "runtime/loop.h"

namespace sftpfs::runtime {

void Cancel::cancel(CancelReason reason) {
  CancelReason expected = CancelReason::kNone;
  if (!reason_.compare_exchange_strong(expected, reason, std::memory_order_acq_rel)) return;
  std::vector<Loop*> loops;
  {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : hooks_) {
      if (std::find(loops.begin(), loops.end(), entry.loop) == loops.end()) {
        loops.push_back(entry.loop);
      }
    }
  }
  for (Loop* loop : loops) {
    loop->post([self = shared_from_this(), loop] { self->deliver(loop); });
  }
}

Error Cancel::error() const {
  switch (reason()) {
    case CancelReason::kTimedOut: return Error(ErrorCode::kTimedOut);
    case CancelReason::kShutdown: return Error(ErrorCode::kShutdown);
    case CancelReason::kNone:
    case CancelReason::kInterrupted: break;
  }
  return Error(ErrorCode::kCancelled);
}

void Cancel::attach(CancelHook& hook) {
  Loop* loop = Loop::current();
  SFTPFS_CHECK(loop != nullptr);
  {
    const std::lock_guard lock(mutex_);
    hooks_.push_back(Entry{&hook, loop});
  }
  // A cancel() that did not see the entry has set the reason before: deliver it ourselves.
  if (cancelled()) {
    loop->post([self = shared_from_this(), loop] { self->deliver(loop); });
  }
}

void Cancel::detach(CancelHook& hook) {
  const std::lock_guard lock(mutex_);
  std::erase_if(hooks_, [&hook](const Entry& entry) { return entry.hook == &hook; });
}

void Cancel::deliver(Loop* loop) {
  while (true) {
    CancelHook* hook = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto entry = std::find_if(hooks_.begin(), hooks_.end(),
                                      [loop](const Entry& e) { return e.loop == loop; });
      if (entry == hooks_.end()) return;
      hook = entry->hook;
      hooks_.erase(entry);
    }
    hook->on_cancel();
  }
}

}  // namespace sftpfs::runtime
