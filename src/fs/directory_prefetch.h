// DirectoryPrefetch: reads the subdirectories of a directory before they are asked for, while
// somebody walks through the tree (find, grep -r, rsync, tar).
//
// Who opens a subdirectory of a directory that was listed just now is taken for a walker, and the
// listings of the others are begun, several at once; once such a guess was right, also those of the
// levels below. A guess serves one opendir(3), within the lifetime of attributes and only if
// nothing was changed in it here since.
//
//   guessed (being read) -> ready -> taken by an opendir
//                             +----> dropped: expired, changed here, or unmounted
//
// The governor: guesses cost credit, those that are taken earn more than they cost, and so does
// every opendir that a guess would have served. Without credit nothing is guessed: one listing of
// one subdirectory now and then ends the guessing, a walk begins it again.
//
// Ownership: Filesystem. Guesses hold a lookup of their inode.
// Threads:   any; one mutex, held for map operations. Streams are read on their home loop.
// Limits:    kGuessesMax guesses, kNamesMax names read ahead in each.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/thread_annotations.h"
#include "fs/directory_stream.h"
#include "fs/shared.h"

namespace sftpfs::fs {

class DirectoryPrefetch {
 public:
  explicit DirectoryPrefetch(Shared& shared) : shared_(shared) {}
  DirectoryPrefetch(const DirectoryPrefetch&) = delete;
  DirectoryPrefetch& operator=(const DirectoryPrefetch&) = delete;

  // Called by each opendir: the stream of an earlier guess, or null. Then, too, guesses what comes
  // next; on any loop.
  std::shared_ptr<DirectoryStream> opening(const InodeRef& directory);
  // Drops all guesses.
  void clear();

 private:
  static constexpr std::size_t kGuessesMax = 64;
  static constexpr std::size_t kNamesMax = 2000;
  static constexpr int kCreditAtFirst = 48;
  static constexpr int kCreditMax = 256;
  static constexpr int kEarnedByUse = 2;
  static constexpr int kUnconfirmedMax = 8;  // guesses at once, before one was right

  // Holds a lookup, so that the inode keeps its name.
  class Guess {
   public:
    Guess(Shared& shared, SessionSlot& slot, InodeRef inode);
    Guess(const Guess&) = delete;
    Guess& operator=(const Guess&) = delete;
    ~Guess();
    const InodeRef& inode() const { return inode_; }
    const std::shared_ptr<DirectoryStream>& stream() const { return stream_; }
    const AttrToken& begun() const { return begun_; }

    // Under the prefetch's mutex.
    bool read = false;      // as far as it is read ahead
    bool expanded = false;  // what is below it has been guessed

   private:
    Shared& shared_;
    const InodeRef inode_;
    const std::shared_ptr<DirectoryStream> stream_;
    const AttrToken begun_;
  };
  using GuessRef = std::shared_ptr<Guess>;

  bool usable(const Guess& guess) const;
  // Guesses the subdirectories of a listed directory that are not known yet.
  void guess_below(const InodeRef& directory, const InodeRef& opened);
  void expand(const GuessRef& guess);
  void expand_all();
  GuessRef guess(const InodeRef& parent, const ListedDirectory& child);
  static runtime::Task<void> read_ahead(DirectoryPrefetch& self, GuessRef guess);
  void drop(const Guess& guess);
  std::vector<GuessRef> remove_useless();

  Shared& shared_;
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, GuessRef> guesses_ SFTPFS_GUARDED_BY(mutex_);
  bool confirmed_ SFTPFS_GUARDED_BY(mutex_) = false;  // the newest opendir was guessed
  int credit_ SFTPFS_GUARDED_BY(mutex_) = kCreditAtFirst;
};

}  // namespace sftpfs::fs
