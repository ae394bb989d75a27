// LiveOptions: what a mount that serves can be told anew (-o remount), and how its threads see it.
//
//   the control loop ──set()──► a new set, behind one pointer ──get()──► whoever decides something
//
// A set is complete and never changes, so that what belongs together (bounds of a lifetime) is seen
// together. Sets that were replaced stay: operations under way may hold them.
//
// Ownership: Shared owns the LiveSetting.
// Threads:   get() any, set() one at a time.
// Limits:    kChangesMax; a set takes about a hundred bytes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace sftpfs::fs {

struct LiveOptions {
  // Upper bounds; what is used follows the measured bandwidth-delay product.
  std::size_t readahead_bytes_max = 32 << 20;
  std::size_t dirty_bytes_max = 16 << 20;

  // How long attributes and listings are believed here: a tenth of the time that the object has not
  // changed for, within these bounds, as NFS has it (acmin, acmax). Zero: not at all.
  Duration attr_lifetime = std::chrono::seconds(3);
  Duration attr_lifetime_max = std::chrono::seconds(20);
  // How long the kernel may keep them and names.
  double kernel_attr_timeout_s = 1.0;
  double kernel_entry_timeout_s = 1.0;
  double kernel_negative_timeout_s = 0.0;

  // How long a listing tells that a name is not there: others make files, too, and whoever is told
  // of one looks for it at once.
  Duration absent_lifetime = std::chrono::seconds(1);
  // Whether open(2) always asks the server what is there now. Else, while the attributes of a file
  // are believed and its content is cached, it is opened without asking; and a listing tells of
  // every name that it is not there, whoever has asked for it.
  bool close_to_open = true;
  // Whether a directory that was read is shown from memory when it is opened again.
  bool listings_serve_opendir = false;

  bool direct_io = false;     // no page cache
  bool kernel_cache = false;  // never drop the page cache at open
  bool sync_writes = false;   // write(2) waits for the server

  // Soft mounts: how long an operation may take before it fails with ETIMEDOUT.
  std::optional<Duration> operation_timeout;
  // How long unsent data may take to reach the server at unmount.
  Duration drain_timeout = std::chrono::seconds(30);

  friend bool operator==(const LiveOptions&, const LiveOptions&) = default;
};

class LiveSetting {
 public:
  static constexpr std::size_t kChangesMax = 10'000;

  explicit LiveSetting(const LiveOptions& first) : sets_{first}, current_(&sets_.back()) {}
  LiveSetting(const LiveSetting&) = delete;
  LiveSetting& operator=(const LiveSetting&) = delete;

  // Valid as long as this object is.
  const LiveOptions& get() const { return *current_.load(std::memory_order_acquire); }

  // Whether there was room for one more.
  bool set(const LiveOptions& next) {
    if (next == get()) return true;
    if (sets_.size() > kChangesMax) return false;
    current_.store(&sets_.emplace_back(next), std::memory_order_release);
    return true;
  }

 private:
  std::deque<LiveOptions> sets_;  // never moves what it holds
  std::atomic<const LiveOptions*> current_;
};

}  // namespace sftpfs::fs
