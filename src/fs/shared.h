// Shared: what all workers of one mount have in common, and the order of locks.
//
// Ownership: one per mount, made by MountedFilesystem's owner; outlives workers and operations.
// Threads:   each member says so itself.
//
// Lock order, for the whole of src/: take a lock only while holding locks further left.
//   InodeTable -> Listings -> Inode -> Readahead -> HandleTable -> cache shard -> NamesInFlux,
//   KnownSpace -> Cancel -> Loop mailbox
// Never two of one kind, none across a suspension, none while calling into sftp/ or libfuse.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "cache/block_cache.h"
#include "fs/inode_table.h"
#include "fs/journal.h"
#include "fs/listings.h"
#include "fs/names_in_flux.h"
#include "fs/open_file.h"
#include "fs/options.h"
#include "fs/types.h"
#include "fs/worker.h"

namespace sftpfs::fs {

class DirectoryStream;

// Counts of operations, for statistics; relaxed atomics, summed by nobody.
struct Counters {
  std::atomic<std::uint64_t> operations{0};  // requests of the kernel
  std::atomic<std::uint64_t> bytes_read{0};  // given to and taken from applications
  std::atomic<std::uint64_t> bytes_written{0};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> reads_from_cache{0};
  std::atomic<std::uint64_t> reads_around_cache{0};  // the cache said Busy
  std::atomic<std::uint64_t> readahead_dropped{0};   // the cache said Busy
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> writes_sent{0};  // SFTP WRITEs' worth of coalesced extents
  std::atomic<std::uint64_t> write_errors{0};
  std::atomic<std::uint64_t> lanes_opened{0};  // further handles of files, for striping
  std::atomic<std::uint64_t> stripings{0};     // turns of writes to lanes
  // Operations under way whose callers were interrupted (shield.h); goes down again.
  std::atomic<std::uint64_t> left_behind{0};
};

// Tells the kernel what it could not know. Any worker; must not wait for requests to be answered.
class KernelNotifier {
 public:
  virtual void attributes_changed(std::uint64_t inode) = 0;

 protected:
  ~KernelNotifier() = default;
};

// Without a kernel.
class NoKernel final : public KernelNotifier {
 public:
  void attributes_changed(std::uint64_t /*inode*/) override {}
};

// The space on the server as it was last seen; before that, plenty: zero would make installers
// refuse to write. Any thread.
class KnownSpace {
 public:
  KnownSpace() {
    constexpr std::uint64_t kPlentyBlocks = std::uint64_t{1} << 28;
    space_.block_size = space_.fragment_size = 4096;
    space_.blocks = space_.blocks_free = space_.blocks_available = kPlentyBlocks;
    space_.files = space_.files_free = kPlentyBlocks;
  }
  void set(const StatFsReply& space) {
    const MutexLock lock(mutex_);
    space_ = space;
  }
  StatFsReply get() const {
    const MutexLock lock(mutex_);
    return space_;
  }

 private:
  mutable Mutex mutex_;
  StatFsReply space_ SFTPFS_GUARDED_BY(mutex_);
};

struct Shared {
  Shared(const Options& chosen, const Clock& the_clock,
         std::shared_ptr<runtime::Connector> connector)
      : options(chosen),
        live_setting(chosen),
        clock(the_clock),
        cache(cache_config(chosen)),
        listings(chosen.listing_bytes_max),
        ids(chosen.ids),
        pool(chosen, the_clock, std::move(connector)),
        journal(pool.first_slot(), the_clock, names_in_flux) {}

  // What is decided by it now; see there.
  const LiveOptions& live() const { return live_setting.get(); }

  static cache::CacheConfig cache_config(const Options& options) {
    cache::CacheConfig config;
    config.slot_size_bytes = options.block_size_bytes;
    config.slot_count =
        std::max<std::size_t>(options.cache_size_bytes / options.block_size_bytes, 1);
    return config;
  }

  // What listings show of these names is out of date: changed by us, or not found any more.
  void doubt(const std::vector<InodeTable::Place>& places) {
    for (const InodeTable::Place& place : places) {
      place.parent->listing_changed();
      listings.doubt(*place.parent, place.name);
    }
  }
  void doubt_names(const Inode& inode) { doubt(inodes.places(inode)); }

  // How long `attrs`, which the server has shown, are believed.
  Duration lifetime(const sftp::Attrs& attrs) const {
    constexpr std::int64_t kPartOfAge = 10;
    const LiveOptions& bounds = live();
    if (!attrs.has(sftp::kAttrTimes)) return bounds.attr_lifetime;
    const std::int64_t age_s = clock.wall_now().seconds - std::int64_t{attrs.mtime};
    const Duration adapted = std::chrono::seconds(std::max<std::int64_t>(age_s, 0) / kPartOfAge);
    const Duration longest = std::max(bounds.attr_lifetime, bounds.attr_lifetime_max);
    return std::clamp(adapted, bounds.attr_lifetime, longest);
  }

  AttrToken token(Ordering ordering) { return inodes.token(ordering, clock.now()); }

  const FixedOptions options;
  LiveSetting live_setting;
  const Clock& clock;
  InodeTable inodes;
  cache::BlockCache cache;
  Listings listings;
  IdMap ids;
  HandleTable<OpenFile> files;
  HandleTable<DirectoryStream> directories;
  Counters counters;
  NamesInFlux names_in_flux;
  KnownSpace space;
  NoKernel no_kernel;
  KernelNotifier* notifier = &no_kernel;  // set while no operation is under way
  SessionPool pool;
  Journal journal;
};

}  // namespace sftpfs::fs
