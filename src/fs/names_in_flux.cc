// See names_in_flux.h.
#include "fs/names_in_flux.h"

#include <algorithm>
#include <iterator>

namespace sftpfs::fs {

bool NamesInFlux::Settled::await_suspend(std::coroutine_handle<> waiter) {
  const MutexLock lock(names_.mutex_);
  if (names_.under_way_.empty()) return false;
  waited_ = true;
  names_.waiting_.push_back(Waiting{names_.next_, &loop_, waiter});
  return true;
}

std::uint64_t NamesInFlux::begin() {
  const MutexLock lock(mutex_);
  under_way_.insert(next_);
  return next_++;
}

void NamesInFlux::end(std::uint64_t number) {
  const MutexLock lock(mutex_);
  under_way_.erase(number);
  const std::uint64_t oldest = under_way_.empty() ? next_ : *under_way_.begin();
  const auto done = std::partition(waiting_.begin(), waiting_.end(),
                                   [oldest](const Waiting& each) { return each.before > oldest; });
  std::for_each(done, waiting_.end(),
                [](const Waiting& each) { each.loop->post_resume(each.waiter); });
  waiting_.erase(done, waiting_.end());
}

}  // namespace sftpfs::fs
