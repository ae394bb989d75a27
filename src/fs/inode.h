// Inode: one object of the remote file system as the kernel knows it, and what we believe of it.
//
// Ownership: InodeTable owns inodes; operations hold a shared_ptr while they work on one.
// Threads:   names and counts belong to InodeTable and its mutex; everything else is behind the
//            inode's own mutex, which is held for a few assignments and never across a suspension.
// Limits:    the id is never used twice in the life of a mount, so FUSE generations stay 0.
//
// Whose truth? The server's attributes are adopted only when they cannot be older than our own
// changes. Ticks put requests and changes in order; a request that will bring attributes takes an
// AttrToken when it is queued. Its answer is believed
//   - Ordering::kIndependent: if no change of ours was under way since then;
//   - Ordering::kBehindChanges (queued behind our changes, on the same session): if no change of
//     ours has begun since then.
// Adopted attributes that differ from the known ones without a change of ours in between mean
// that somebody else changed the file: its content gets a new generation.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/thread_annotations.h"
#include "sftp/types.h"

namespace sftpfs::fs {

class FileIo;
class InodeTable;

enum class Ordering : std::uint8_t { kIndependent, kBehindChanges };

// Of a change of ours: kContent explains another size or modification time, kOther (permissions,
// owner, names) does not. kAhead: what it leads to is shown already.
enum class Change : std::uint8_t { kContent, kOther, kAhead };

// Orders changes and requests of one mount.
using Ticks = std::atomic<std::uint64_t>;

struct AttrToken {
  std::uint64_t tick = 0;
  Ordering ordering = Ordering::kIndependent;
  TimePoint asked_at{};  // the lifetime of the answer counts from here
};

// A copy of what is known, taken under the lock.
struct AttrView {
  sftp::Attrs attrs;
  bool known = false;
  bool fresh = false;  // within its lifetime, or only we change it just now
  bool locally_modified = false;
  bool changing = false;  // a change of ours is under way ...
  bool in_doubt = false;  // ... and what it leads to is not shown yet
  Duration remaining{};   // of the lifetime
  std::uint64_t generation = 0;
};

class Inode {
 public:
  Inode(std::uint64_t id, std::uint32_t type, Ticks& ticks) : id_(id), type_(type), ticks_(ticks) {}
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  std::uint64_t id() const { return id_; }
  std::uint32_t type() const { return type_; }  // S_IFMT bits; fixed for life

  AttrView view(TimePoint now) const;
  // True if the content was changed by somebody else since it was last known.
  bool adopt(const sftp::Attrs& attrs, const AttrToken& token, Duration lifetime);
  // No view is fresh until the server has been asked, even while we write.
  void expire();
  // Nothing is known of it any more, not even its size.
  void forget_attrs();

  // The server's copy has for a while another mode than the file: whatever is seen of it until it
  // has been set back is shown with `mode` (permission bits).
  void mode_aside_begins(std::uint32_t mode);
  void mode_aside_ends();

  // Our own changes: begins when the request is queued or the data accepted, ends with the
  // server's answer. A write makes the file grow at once.
  std::uint64_t change_begins(Change change);
  void write_begins(std::uint64_t end_offset, WallTime wall_now);
  void change_ends(Change change = Change::kAhead);
  // The request of a change under way is queued once more; what was asked for before is no longer
  // behind it. Returns the new tick.
  std::uint64_t change_repeats();
  // What a change under way will lead to, as far as `changed` has it.
  void predict(const sftp::Attrs& changed);
  // The size that a change of ours, begun at `tick`, has made; writes begun since count on top.
  void set_size(std::uint64_t size_bytes, std::uint64_t tick);
  // A directory: names in it have been made, removed or renamed by us.
  void names_changed();
  bool names_changed_since(const AttrToken& token) const;
  // The same, of changes that the server is still to make (journal.h): what else is known of the
  // directory goes on being believed until then.
  void names_changed_ahead(std::uint32_t mtime, TimePoint believed_until);
  // The server has made them.
  void listing_changed_behind();
  // What was promised and then refused by the server; told once.
  void latch_ahead_error(const Error& error);
  std::optional<Error> take_ahead_error();
  // A directory: what a listing shows, names or attributes of what they name, was changed by us.
  void listing_changed();
  bool listing_changed_since(const AttrToken& token) const;
  // When we have changed it last, as a tick; 0: never.
  std::uint64_t last_change() const;
  // A directory: something in it that we had changed at tick `change` is forgotten here. What was
  // asked for before that may show it as it was, and nothing else tells so any more.
  void child_left(std::uint64_t change);
  bool child_left_since(const AttrToken& token) const;
  // Old blocks must not be found any more.
  void new_generation();
  std::uint64_t generation() const;

  // At open, with the attributes of just now: drops content that may have been read before a change
  // that they do not show, for times have whole seconds. Our own (`being_written`, or not seen by
  // the server yet) stays; so does everything if `keep`.
  void settle_content(WallTime wall_now, bool being_written, bool keep);
  // The server has let us open the file for reading when it showed `attrs`; whether it has done so
  // with what is known of it now.
  void read_permitted(const sftp::Attrs& attrs);
  bool is_read_permitted() const;

  // At open: whether the pages the kernel holds are still those of this generation. From now on
  // they are.
  bool kernel_cache_is_current();

  // What the kernel has been told of size and modification time, and whether that is out of date.
  void tell_kernel(const sftp::Attrs& attrs);
  bool kernel_attrs_are_old() const;

  // The state of the open file: made by the first acquire_io(), dropped by the last release_io().
  std::shared_ptr<FileIo> acquire_io(const std::function<std::shared_ptr<FileIo>()>& make);
  void release_io();
  std::shared_ptr<FileIo> io() const;

 private:
  friend class InodeTable;
  struct Name {
    Inode* parent;
    std::string name;
  };

  const std::uint64_t id_;
  const std::uint32_t type_;
  Ticks& ticks_;

  // Guarded by the table's mutex.
  std::vector<Name> names_;
  std::unordered_map<std::string, Inode*> children_;
  std::uint64_t lookup_count_ = 0;

  mutable Mutex mutex_;
  sftp::Attrs attrs_ SFTPFS_GUARDED_BY(mutex_);
  bool attrs_known_ SFTPFS_GUARDED_BY(mutex_) = false;
  TimePoint attrs_expire_ SFTPFS_GUARDED_BY(mutex_){};
  std::uint64_t adopted_ SFTPFS_GUARDED_BY(mutex_) = 0;  // tick of the answer that attrs_ are of
  bool locally_modified_ SFTPFS_GUARDED_BY(mutex_) = false;
  bool doubted_ SFTPFS_GUARDED_BY(mutex_) = false;          // see expire()
  std::uint64_t written_to_ SFTPFS_GUARDED_BY(mutex_) = 0;  // the end of our writes under way
  std::uint64_t changes_under_way_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_in_doubt_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_begun_ SFTPFS_GUARDED_BY(mutex_) = 0;       // tick of our newest change
  std::uint64_t last_ended_ SFTPFS_GUARDED_BY(mutex_) = 0;       // tick of the newest answer to one
  std::uint64_t names_changed_ SFTPFS_GUARDED_BY(mutex_) = 0;    // tick
  std::uint64_t listing_changed_ SFTPFS_GUARDED_BY(mutex_) = 0;  // tick
  std::uint64_t child_left_ SFTPFS_GUARDED_BY(mutex_) = 0;       // tick
  bool mode_aside_ SFTPFS_GUARDED_BY(mutex_) = false;
  std::uint32_t true_mode_ SFTPFS_GUARDED_BY(mutex_) = 0;         // of answers asked for ...
  std::uint64_t mode_aside_ended_ SFTPFS_GUARDED_BY(mutex_) = 0;  // ... before this tick
  std::optional<Error> ahead_error_ SFTPFS_GUARDED_BY(mutex_);
  std::uint64_t generation_ SFTPFS_GUARDED_BY(mutex_) = 1;
  // This generation's content may be from before a change that attributes do not show. True after
  // a change by somebody else, until it is settled.
  bool content_unsure_ SFTPFS_GUARDED_BY(mutex_) = false;
  std::optional<sftp::Attrs> readable_as_ SFTPFS_GUARDED_BY(mutex_);  // see read_permitted()
  std::uint64_t kernel_generation_ SFTPFS_GUARDED_BY(mutex_) = 0;     // 0: the kernel holds nothing
  std::uint64_t kernel_size_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::uint32_t kernel_mtime_ SFTPFS_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<FileIo> io_ SFTPFS_GUARDED_BY(mutex_);
  unsigned io_users_ SFTPFS_GUARDED_BY(mutex_) = 0;
};

using InodeRef = std::shared_ptr<Inode>;

// Ends a change in every way out of the operation that makes it.
class ChangeScope {
 public:
  // `inode` may be null: nothing known is changed.
  ChangeScope(InodeRef inode, Change change) : inode_(std::move(inode)), change_(change) {
    if (inode_) begun_ = inode_->change_begins(change);
  }
  ~ChangeScope() { end(); }
  ChangeScope(const ChangeScope&) = delete;
  ChangeScope& operator=(const ChangeScope&) = delete;

  std::uint64_t begun() const { return begun_; }
  void repeat() {
    if (inode_) begun_ = inode_->change_repeats();
  }
  void end() {
    const InodeRef inode = std::exchange(inode_, nullptr);
    if (inode) inode->change_ends(change_);
  }

 private:
  InodeRef inode_;
  const Change change_;
  std::uint64_t begun_ = 0;
};

}  // namespace sftpfs::fs
