// HotDirectories: lists directories in which many names are looked up, so that the next lookups
// need no server (listings.h). Build tools, git and shells look for dozens of names in one
// directory, most of which are not there.
//
// Who has to ask the server for several names in one directory within the lifetime of attributes
// will ask for more: the directory is listed behind his back. As long as that listing answers
// lookups, it is made anew before its word on absent names has lost its time. Only of names that
// were looked for before, in vain, does it say that they are not there: another name may have been
// made by others just now, for whom somebody here waits (Options::close_to_open).
//
//   (nothing) --kAskedAtFirst lookups that had to ask--> being listed --> known, of use --+
//                                                            ^                            |
//                                                            +--- half its time is over --+
//
// The governor: after a listing that answered less than it cost, twice as many lookups have to ask
// before the next one. A directory that is too large, or cannot be listed, is left alone for a
// while.
//
// Ownership: Filesystem. The listing of a directory that the kernel forgets meanwhile fails.
// Threads:   any; one mutex, held for map operations. Streams are read on their home loop.
// Limits:    kRecordsMax directories with kMissedMax names looked for in vain; kAtOnceMax listings
//            at once, kNamesMax names in each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/thread_annotations.h"
#include "fs/directory_stream.h"
#include "fs/shared.h"

namespace sftpfs::fs {

class HotDirectories {
 public:
  explicit HotDirectories(Shared& shared) : shared_(shared) {}
  HotDirectories(const HotDirectories&) = delete;
  HotDirectories& operator=(const HotDirectories&) = delete;

  // What the directory's listing says of a name, as far as it may be believed. Each lookup asks.
  NameAnswer look_up(const InodeRef& directory, const std::string& name);
  // The server says that the name is not there.
  void missed(const Inode& directory, const std::string& name);

 private:
  static constexpr std::size_t kRecordsMax = 128;
  static constexpr std::size_t kMissedMax = 64;
  static constexpr int kAtOnceMax = 8;
  static constexpr std::size_t kNamesMax = 2000;
  static constexpr int kAskedAtFirst = 3;
  static constexpr int kAskedMax = 96;
  static constexpr int kServedAtLeast = 3;  // about what a listing costs

  struct Record {
    TimePoint since{};       // of the first lookup that counts
    TimePoint not_before{};  // of the next listing
    int asked = 0;           // lookups that had to ask since
    int asked_wanted = kAskedAtFirst;
    int served = 0;  // lookups that the last listing has answered
    bool listed = false;
    bool busy = false;
    std::unordered_set<std::string> missed;
  };

  void begin_listing(const InodeRef& directory);
  Record& record_of(const Inode& directory, TimePoint now) SFTPFS_REQUIRES(mutex_);
  bool is_due(Record& record, const NameAnswer& answer, TimePoint now) const;
  // How old a listing may become before it is made anew.
  Duration refresh_age() const;
  void forget_cold_ones(TimePoint now) SFTPFS_REQUIRES(mutex_);
  static runtime::Task<void> list(HotDirectories& self, InodeRef directory,
                                  std::shared_ptr<DirectoryStream> stream);
  void listed(const Inode& directory, bool possible);

  Shared& shared_;
  Mutex mutex_;
  std::unordered_map<std::uint64_t, Record> records_ SFTPFS_GUARDED_BY(mutex_);
  int under_way_ SFTPFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace sftpfs::fs
