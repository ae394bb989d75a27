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
//            directory is forgotten. The timer is of the first worker's loop.
// Threads:   any; one mutex, held for look-ups.
// Limits:    kRecordsMax directories of at most kFilesMax names, kBytesMax in all, each until it
//            has been idle for a few seconds; kWindowMax files ahead in each, of at most kSizeMax;
//            kFetchesMax fetches under way in all: each holds a handle of the server's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"
#include "fs/shared.h"
#include "runtime/loop.h"

namespace sftpfs::fs {

class FilePrefetch {
 public:
  using Held = std::shared_ptr<InodeHold>;
  // Begins to open, read and close a file, after which ended() is called; called without the lock.
  using Fetch = std::function<void(Held)>;
  enum class Ending : std::uint8_t {
    kRead,
    kRefused,  // by the server
    kGivenUp   // it was not the time, or the connection was lost
  };
  static constexpr std::size_t kFetchesMax = 32;

  FilePrefetch(Shared& shared, Fetch fetch)
      : shared_(shared),
        fetch_(std::move(fetch)),
        loop_(shared.pool.workers().front()->loop()),
        idle_(loop_) {}
  FilePrefetch(const FilePrefetch&) = delete;
  FilePrefetch& operator=(const FilePrefetch&) = delete;

  // A file is being opened for reading.
  void opening(const InodeRef& file);
  // Once for each fetch.
  void ended(const Inode& file, Ending ending);
  // Lets go of everything.
  void clear();
  // What is known of directories.
  std::size_t bytes() const;

 private:
  static constexpr std::size_t kRecordsMax = 16;
  static constexpr std::size_t kFilesMax = 2'000;
  static constexpr std::size_t kBytesMax = 4 << 20;
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
    std::size_t bytes = 0;
    AttrToken token;  // of the listing
    std::vector<File> files;
    std::unordered_map<std::string_view, Index> by_name;  // views of the names in `files`
    Order by_listing;
    Order by_names;
    std::unordered_map<Index, Held> ahead;  // asked for, and not opened yet
    int useless = 0;                        // passed over or refused, less those used
  };

  // What is to be fetched.
  struct Chosen {
    std::vector<std::string> names;
    AttrToken token;
  };
  // What is let go of when the lock has been released.
  struct Dropped {
    std::vector<Record> records;
    std::vector<Held> files;
  };

  // Whether only a listing is missing for guessing.
  bool wants_listing(const Inode& directory, TimePoint now) const;
  Record build(std::vector<ListedFile> listed) const;
  static void arrange(Record& record);
  static bool follow(Order& order, Index file);
  static Order& likelier(Record& record);
  static void drop_passed_over(Record& record, const Order& order, std::vector<Held>& dropped);
  static std::vector<Index> choose(const Record& record, const Order& order, std::size_t count_max);
  // The file of this name is being opened.
  Chosen go_on(Record& record, const std::string& name, std::vector<Held>& dropped)
      SFTPFS_REQUIRES(mutex_);
  void drop_idle(TimePoint now, std::vector<Record>& dropped) SFTPFS_REQUIRES(mutex_);
  // The longest not used, but for that of the directory `kept`. False: there is no other.
  bool drop_oldest(std::uint64_t kept, std::vector<Record>& dropped) SFTPFS_REQUIRES(mutex_);
  std::size_t bytes_locked() const SFTPFS_REQUIRES(mutex_);
  void start_sweeping() SFTPFS_REQUIRES(mutex_);
  void sweep();
  bool needs_fetch(const Inode& file) const;
  Held hold(const InodeRef& directory, const std::string& name, const AttrToken& token);
  // False: it is not wanted any more.
  bool note_ahead(const Inode& directory, const std::string& name, const Held& held);

  Shared& shared_;
  const Fetch fetch_;
  runtime::Loop& loop_;
  runtime::Timer idle_;
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, Record> records_ SFTPFS_GUARDED_BY(mutex_);
  std::size_t under_way_ SFTPFS_GUARDED_BY(mutex_) = 0;  // fetches
  bool sweeping_ SFTPFS_GUARDED_BY(mutex_) = false;      // the timer runs, or will
};

}  // namespace sftpfs::fs
