// NamesInFlux: which renames of this mount are under way.
//
// Who finds a name missing that it knows has perhaps only asked too early: a rename whose answer
// is still to come has moved it already. It waits for the changes that are under way now, and looks
// at the name again.
//
// Ownership: one per mount, in Shared.
// Threads:   any; one mutex, held for a few assignments. A waiter resumes on its own loop.
// Limits:    none; a change ends with its operation, which every signal can end.
#pragma once

#include <coroutine>
#include <cstdint>
#include <set>
#include <vector>

#include "base/thread_annotations.h"
#include "runtime/loop.h"

namespace sftpfs::fs {

class NamesInFlux {
 public:
  // One change, from before its request is sent until the inode table shows its result.
  class Scope {
   public:
    explicit Scope(NamesInFlux& names) : names_(names), number_(names.begin()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { names_.end(number_); }

   private:
    NamesInFlux& names_;
    const std::uint64_t number_;
  };

  // Waits for the changes that are under way now; yields whether there were any.
  class Settled {
   public:
    explicit Settled(NamesInFlux& names) : names_(names), loop_(*runtime::Loop::current()) {}
    bool await_ready() const noexcept { return false; }
    // False: there is nothing to wait for.
    bool await_suspend(std::coroutine_handle<> waiter);
    bool await_resume() const { return waited_; }

   private:
    NamesInFlux& names_;
    runtime::Loop& loop_;
    bool waited_ = false;
  };
  Settled settled() { return Settled(*this); }

 private:
  struct Waiting {
    std::uint64_t before;  // changes with smaller numbers
    runtime::Loop* loop;
    std::coroutine_handle<> waiter;
  };
  std::uint64_t begin();
  void end(std::uint64_t number);

  Mutex mutex_;
  std::uint64_t next_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> under_way_ SFTPFS_GUARDED_BY(mutex_);
  std::vector<Waiting> waiting_ SFTPFS_GUARDED_BY(mutex_);
};

}  // namespace sftpfs::fs
