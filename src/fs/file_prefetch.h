// FilePrefetch: guesses which small files of a directory are read next, and has them fetched.
//
// `cat *`, `grep -r`, `cp -r`, tar and git read the files of a directory one after the other, in
// the order of its listing or in that of the names. Who opens two in a row is taken for such a
// reader: the next ones are opened, read into the block cache and closed before he asks. His own
// open still asks the server what is there now; content that was fetched before a change is dropped
// then, like everything cached. So he waits for one round trip instead of two.
//
//   (nothing) --two opens in a row--> reading on --each open: the window doubles--> ...
//        ^                               |
//        +--- idle                       +--> left alone: more files passed over than read
//
// Ownership: Filesystem. A file that was fetched keeps its inode until it is opened or the
//            directory is forgotten.
// Threads:   any; one mutex, held for look-ups.
// Limits:    kRecordsMax directories of at most kFilesMax files; kWindowMax files ahead in each, of
//            at most kSizeMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"
#include "fs/shared.h"

namespace sftpfs::fs {

class FilePrefetch {
 public:
  using Held = std::shared_ptr<InodeHold>;
  // Begins to open, read and close a file; called without the lock.
  using Fetch = std::function<void(Held)>;

  FilePrefetch(Shared& shared, Fetch fetch) : shared_(shared), fetch_(std::move(fetch)) {}
  FilePrefetch(const FilePrefetch&) = delete;
  FilePrefetch& operator=(const FilePrefetch&) = delete;

  // A file is being opened for reading.
  void opening(const InodeRef& file);
  // A file that was to be fetched could not be opened.
  void refused(const Inode& file);
  // Lets go of everything.
  void clear();

 private:
  static constexpr std::size_t kRecordsMax = 16;
  static constexpr std::size_t kFilesMax = 20'000;
  static constexpr std::size_t kWindowMax = 32;
  static constexpr std::size_t kSizeMax = 64 << 10;
  static constexpr std::size_t kSlack = 4;  // readers side by side shuffle the order
  static constexpr int kUselessMax = 8;
  static constexpr int kRefusedCost = 4;

  using Index = std::uint32_t;  // of a file, in the order of the listing
  struct File {
    std::string name;
    bool worth_it = false;
  };
  // One of the two orders in which a directory may be read.
  struct Order {
    std::vector<Index> files;
    std::vector<Index> positions;  // of each file
    std::size_t last = SIZE_MAX;   // position of the last open
    std::size_t run = 0;           // opens in a row
  };
  struct Record {
    TimePoint used_at{};
    bool built = false;
    AttrToken token;  // of the listing
    std::vector<File> files;
    std::unordered_map<std::string, Index> by_name;
    Order by_listing;
    Order by_names;
    std::unordered_map<Index, Held> ahead;  // asked for, and not opened yet
    int useless = 0;                        // passed over or refused, less those used
  };

  void build(Record& record, std::vector<ListedFile> listed) const;
  static bool follow(Order& order, Index file);
  static Order& likelier(Record& record);
  static void drop_passed_over(Record& record, const Order& order, std::vector<Held>& dropped);
  static std::vector<Index> choose(const Record& record, const Order& order);
  // Makes room for the record of the directory `wanted`.
  void forget_idle(std::uint64_t wanted, TimePoint now, std::vector<Record>& dropped)
      SFTPFS_REQUIRES(mutex_);
  Held hold(const InodeRef& directory, const std::string& name, const AttrToken& token);

  Shared& shared_;
  const Fetch fetch_;
  Mutex mutex_;
  std::unordered_map<std::uint64_t, Record> records_ SFTPFS_GUARDED_BY(mutex_);
};

}  // namespace sftpfs::fs
