// shielded(): runs an operation to its end even when its caller is interrupted.
//
// A request that has been sent cannot be called back: interrupted or not, the server carries it
// out. So what changes the server goes on behind the caller's back until it has been answered, and
// what we know of names and attributes stays true. The caller gets its EINTR (or ETIMEDOUT) at
// once. What the operation waits for before it has sent anything ends with `op.cancel` by itself.
//
// Ownership: the operation owns a copy of its context, in the frame that runs it.
// Threads:   one loop, that on which it is awaited.
// Limits:    ends at the latest when the session is closed.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "fs/shared.h"
#include "fs/types.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sftpfs::fs {

namespace detail {

template <class T>
struct Shielded {
  Shielded(Counters& counting, OperationContext& op) : counters(counting), context(op) {
    running.enter();
  }
  Counters& counters;
  OperationContext context;
  runtime::Gate running;
  std::optional<Result<T>> result;
  bool abandoned = false;
};

template <class T, class Start, class Undo>
runtime::Task<void> run_shielded(std::shared_ptr<Shielded<T>> shield, Start start, Undo undo) {
  Result<T> result = co_await start(shield->context);
  if (shield->abandoned) {
    undo(result);
    shield->counters.left_behind.fetch_sub(1, std::memory_order_relaxed);
  } else {
    shield->result.emplace(std::move(result));
  }
  shield->running.leave();
}

}  // namespace detail

// `start` makes the task, given its context; `undo` is given the result that nobody waits for any
// more, to take back what it counts.
template <class T, class Start, class Undo>
runtime::Task<Result<T>> shielded(Counters& counters, OperationContext& op, Start start,
                                  Undo undo) {
  auto shield = std::make_shared<detail::Shielded<T>>(counters, op);
  runtime::spawn(detail::run_shielded<T>(shield, std::move(start), std::move(undo)));
  if (!shield->result) {
    const Status waited = co_await shield->running.drained(op.cancel.get());
    if (!waited && !shield->result) {
      shield->abandoned = true;
      counters.left_behind.fetch_add(1, std::memory_order_relaxed);
      co_return fail(waited.error());
    }
  }
  co_return std::move(*shield->result);
}

inline runtime::Task<Status> shielded(Counters& counters, OperationContext& op, auto start) {
  return shielded<void>(counters, op, std::move(start), [](const Status&) {});
}

}  // namespace sftpfs::fs
