// Which signals wait for the caller of an operation, and so whether an interrupt is to end its
// wait.
//
// The kernel tells of any signal, once, and then lets the caller wait for our reply whatever else
// comes. On a disk a signal that a programme catches for its own business (a timer, a child, a
// latch) never ends a call, and programmes rely on it: PostgreSQL panics when fdatasync(2) says
// EINTR. So it ends no wait here either, but from then on the caller is looked at, for one that
// does. A fatal one does at once. One that asks to end and is caught (a database is told to stop in
// the middle of a commit) does where the server gives no answer for a while: operation.cc.
//
// Threads: any; reads /proc.
// Limits:  a caller that /proc does not show counts as one that is to end.
#pragma once

#include <cstdint>
#include <string_view>

namespace sftpfs::fuse {

enum class PendingSignals : std::uint8_t {
  kNone,         // frozen, traced, or another thread was faster
  kOwnBusiness,  // nothing but what the programme catches for itself
  kAsksToEnd,    // INT, TERM ..., caught
  kEnd,          // fatal, or unknown
};

PendingSignals pending_signals(std::uint32_t pid);
// The text of /proc/PID/status.
PendingSignals pending_in_status(std::string_view status);

}  // namespace sftpfs::fuse
