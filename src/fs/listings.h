// Listings: what complete listings of directories tell about names: there, or not there.
//
// A directory that was read to its end, or that was just made here, is known as a whole for a
// while. Until then a lookup in it needs no server, above all one that finds nothing. Our own
// changes keep it right; those of others show when its lifetime is over. A directory made here is
// known for as long as we go on making names in it, and a while longer.
//
//   (no listing) --put()--> known --made(), removed(), doubt()--> known, but for that name
//        ^                    |
//        +--------------------+ expired, dropped, or evicted for others
//
// Ownership: one per mount (Shared).
// Threads:   any; one mutex, held for map operations and one check of an inode.
// Limits:    `bytes_max` for all names; the listing longest not used goes first. A listing that
//            would take more than half of it is not kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/thread_annotations.h"
#include "fs/inode.h"
#include "sftp/types.h"

namespace sftpfs::fs {

enum class Presence : std::uint8_t { kUnknown, kAbsent, kPresent };

// Why a listing is known.
enum class Origin : std::uint8_t {
  kAsked,    // somebody has read the directory
  kGuessed,  // it was read because of many lookups
  kMadeHere  // the directory was made here, and nothing is known to be in it but by us
};

struct NameAnswer {
  Presence presence = Presence::kUnknown;
  Origin origin = Origin::kAsked;
  sftp::Attrs attrs;     // of a present name
  AttrToken token;       // from before the listing was asked for
  Duration remaining{};  // of the listing's lifetime
  bool vouched = false;  // by us: good for a known inode only
};

struct ListedDirectory {
  std::string name;
  sftp::Attrs attrs;
  AttrToken token;  // from before the listing was asked for
};

struct ListedFile {
  std::string name;
  sftp::Attrs attrs;
  AttrToken token;
};

struct WholeListing {
  std::vector<sftp::DirEntry> entries;
  std::vector<std::string> vouched;  // names that only their inodes can tell the attributes of
  AttrToken token;                   // from before the listing was asked for
};

class Listings {
 public:
  explicit Listings(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  Listings(const Listings&) = delete;
  Listings& operator=(const Listings&) = delete;

  // A complete listing, asked for with `token`; ignored if something in it was changed here since.
  // It serves for `lifetime` from then on; that a name is not there it tells for `absent_lifetime`,
  // at most as long.
  void put(const Inode& directory, const std::vector<sftp::DirEntry>& entries,
           const AttrToken& token, Duration lifetime, Duration absent_lifetime,
           Origin origin = Origin::kAsked);
  NameAnswer find(const Inode& directory, const std::string& name, TimePoint now);

  bool knows(const Inode& directory, TimePoint now);
  // Those that are certainly there, in the server's order.
  std::vector<ListedDirectory> subdirectories(const Inode& directory, TimePoint now);

  // The regular files that are certainly there, in the server's order; none if there are more than
  // `count_max` names.
  std::vector<ListedFile> files(const Inode& directory, TimePoint now, std::size_t count_max);

  // The whole listing, in no particular order; nothing unless every name is certain.
  std::optional<WholeListing> whole(const Inode& directory, TimePoint now);

  // Our own changes, as soon as the server has answered, after Inode::names_changed() or
  // listing_changed().
  void made(const Inode& directory, const std::string& name);
  void removed(const Inode& directory, const std::string& name);
  // We have made or changed it, and as long as its inode is known that has its attributes.
  void vouch(const Inode& directory, const std::string& name, const sftp::Attrs& attrs,
             const AttrToken& token);
  // We are still making names in a directory that was made here: nobody else is thought to do so
  // until then.
  void still_ours(const Inode& directory, TimePoint until);
  // What became of the name, or of the attributes of what it names, is not known.
  void doubt(const Inode& directory, const std::string& name) { made(directory, name); }
  void drop(const Inode& directory);

  std::size_t bytes() const;

 private:
  struct Entry {
    bool known = false;  // else the server has to be asked
    std::uint32_t position = 0;
    sftp::Attrs attrs;
    std::optional<AttrToken> vouched;
  };
  struct Listing {
    AttrToken token;
    Origin origin = Origin::kAsked;
    TimePoint expires{};
    TimePoint absent_until{};
    std::size_t bytes = 0;
    std::unordered_map<std::string, Entry> names;
    std::vector<std::string> subdirectories;
    std::list<std::uint64_t>::iterator position;
  };

  // Null if there is none, or its lifetime is over; counts as a use.
  Listing* find_locked(const Inode& directory, TimePoint now) SFTPFS_REQUIRES(mutex_);
  void drop_locked(std::uint64_t directory) SFTPFS_REQUIRES(mutex_);

  const std::size_t bytes_max_;
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, Listing> listings_ SFTPFS_GUARDED_BY(mutex_);
  std::list<std::uint64_t> by_use_ SFTPFS_GUARDED_BY(mutex_);  // the longest not used first
  std::size_t bytes_ SFTPFS_GUARDED_BY(mutex_) = 0;
};

}  // namespace sftpfs::fs
