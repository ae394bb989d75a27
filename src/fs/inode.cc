// See inode.h.
#include "fs/inode.h"

#include <algorithm>

#include "base/check.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
// SFTP v3 times have whole seconds: within this time after its last change a file may change
// again without showing it.
constexpr std::int64_t kUnseenChangeSeconds = 2;

}  // namespace

AttrView Inode::view(TimePoint now) const {
  const MutexLock lock(mutex_);
  AttrView view;
  view.attrs = attrs_;
  view.known = attrs_known_;
  view.locally_modified = locally_modified_;
  view.changing = changes_under_way_ > 0;
  view.in_doubt = changes_in_doubt_ > 0;
  // What we guess of our own writes serves until they have ended, then the server is asked.
  view.fresh = attrs_known_ && !doubted_ &&
               (locally_modified_ ? changes_under_way_ > 0 : now < attrs_expire_);
  view.remaining = std::max(attrs_expire_ - now, Duration::zero());
  view.generation = generation_;
  return view;
}

bool Inode::adopt(const sftp::Attrs& attrs, const AttrToken& token, Duration lifetime) {
  const MutexLock lock(mutex_);
  bool current = token.tick > last_begun_;
  if (token.ordering == Ordering::kIndependent) {
    current = current && changes_under_way_ == 0 && token.tick > last_ended_;
  }
  const bool older = token.tick < adopted_;
  if (attrs_known_ && (!current || older)) return false;
  adopted_ = token.tick;
  const bool differs = attrs_known_ && (attrs_.size != attrs.size || attrs_.mtime != attrs.mtime);
  const bool foreign = differs && (!locally_modified_ || attrs_.size != attrs.size);
  if (foreign) ++generation_;
  content_unsure_ = content_unsure_ || foreign;
  attrs_ = attrs;
  attrs_known_ = true;
  if (mode_aside_ || token.tick < mode_aside_ended_) {
    attrs_.permissions = (attrs.permissions & ~kPermissionBits) | true_mode_;
  }
  // What may be out of date already is shown once and asked for again.
  attrs_expire_ = current ? token.asked_at + lifetime : TimePoint{};
  doubted_ = !current;
  locally_modified_ = !current && changes_under_way_ > 0 && locally_modified_;
  if (!current) attrs_.size = std::max(attrs_.size, written_to_);
  return foreign;
}

void Inode::expire() {
  const MutexLock lock(mutex_);
  attrs_expire_ = TimePoint{};
  doubted_ = true;
}

void Inode::forget_attrs() {
  const MutexLock lock(mutex_);
  attrs_known_ = false;
  doubted_ = true;
}

void Inode::mode_aside_begins(std::uint32_t mode) {
  const MutexLock lock(mutex_);
  mode_aside_ = true;
  true_mode_ = mode & kPermissionBits;
}

void Inode::mode_aside_ends() {
  const MutexLock lock(mutex_);
  mode_aside_ = false;
  mode_aside_ended_ = ++ticks_;
}

std::uint64_t Inode::change_begins(Change change) {
  const MutexLock lock(mutex_);
  ++changes_under_way_;
  if (change != Change::kAhead) ++changes_in_doubt_;
  last_begun_ = ++ticks_;
  if (change == Change::kContent) locally_modified_ = true;
  return last_begun_;
}

void Inode::write_begins(std::uint64_t end_offset, WallTime wall_now) {
  const MutexLock lock(mutex_);
  ++changes_under_way_;
  last_begun_ = ++ticks_;
  locally_modified_ = true;
  written_to_ = std::max(written_to_, end_offset);
  attrs_.size = std::max(attrs_.size, end_offset);
  attrs_.mtime = static_cast<std::uint32_t>(wall_now.seconds);
}

void Inode::predict(const sftp::Attrs& changed) {
  const MutexLock lock(mutex_);
  if (changed.has(sftp::kAttrPermissions)) {
    attrs_.permissions =
        (attrs_.permissions & ~kPermissionBits) | (changed.permissions & kPermissionBits);
  }
  if (changed.has(sftp::kAttrUidGid)) {
    attrs_.uid = changed.uid;
    attrs_.gid = changed.gid;
  }
  if (changed.has(sftp::kAttrTimes)) {
    attrs_.atime = changed.atime;
    attrs_.mtime = changed.mtime;
  }
}

void Inode::change_ends(Change change) {
  const MutexLock lock(mutex_);
  SFTPFS_CHECK(changes_under_way_ > 0);
  --changes_under_way_;
  if (change != Change::kAhead) --changes_in_doubt_;
  if (changes_under_way_ == 0) written_to_ = 0;
  last_ended_ = ++ticks_;
}

std::uint64_t Inode::change_repeats() {
  const MutexLock lock(mutex_);
  last_begun_ = ++ticks_;
  return last_begun_;
}

void Inode::set_size(std::uint64_t size_bytes, std::uint64_t tick) {
  const MutexLock lock(mutex_);
  if (last_begun_ <= tick) attrs_.size = size_bytes;
}

void Inode::names_changed_ahead(std::uint32_t mtime, TimePoint believed_until) {
  const MutexLock lock(mutex_);
  names_changed_ = listing_changed_ = ++ticks_;
  attrs_.mtime = mtime;
  if (attrs_known_ && !doubted_) attrs_expire_ = std::max(attrs_expire_, believed_until);
}

void Inode::listing_changed_behind() {
  const MutexLock lock(mutex_);
  names_changed_ = listing_changed_ = ++ticks_;
}

void Inode::latch_ahead_error(const Error& error) {
  const MutexLock lock(mutex_);
  if (!ahead_error_) ahead_error_ = error;
}

std::optional<Error> Inode::take_ahead_error() {
  const MutexLock lock(mutex_);
  return std::exchange(ahead_error_, std::nullopt);
}

void Inode::names_changed() {
  const MutexLock lock(mutex_);
  names_changed_ = listing_changed_ = ++ticks_;
  attrs_expire_ = TimePoint{};
}

bool Inode::names_changed_since(const AttrToken& token) const {
  const MutexLock lock(mutex_);
  return names_changed_ > token.tick;
}

void Inode::listing_changed() {
  const MutexLock lock(mutex_);
  listing_changed_ = ++ticks_;
}

bool Inode::listing_changed_since(const AttrToken& token) const {
  const MutexLock lock(mutex_);
  return listing_changed_ > token.tick;
}

std::uint64_t Inode::last_change() const {
  const MutexLock lock(mutex_);
  return std::max({last_begun_, last_ended_, mode_aside_ended_});
}

void Inode::child_left(std::uint64_t change) {
  const MutexLock lock(mutex_);
  child_left_ = std::max(child_left_, change);
}

bool Inode::child_left_since(const AttrToken& token) const {
  const MutexLock lock(mutex_);
  return child_left_ > token.tick;
}

void Inode::new_generation() {
  const MutexLock lock(mutex_);
  ++generation_;
}

std::uint64_t Inode::generation() const {
  const MutexLock lock(mutex_);
  return generation_;
}

void Inode::settle_content(WallTime wall_now, bool being_written, bool keep) {
  const MutexLock lock(mutex_);
  const bool may_hide_change =
      std::int64_t{attrs_.mtime} + kUnseenChangeSeconds >= wall_now.seconds;
  const bool ours = being_written || locally_modified_;
  const bool unsure = may_hide_change || content_unsure_;
  if (unsure && !ours && !keep) ++generation_;
  // What is read from now on is from before such a change as well.
  content_unsure_ = may_hide_change || (unsure && ours);
}

void Inode::read_permitted(const sftp::Attrs& attrs) {
  const MutexLock lock(mutex_);
  readable_as_ = attrs;
}

bool Inode::is_read_permitted() const {
  constexpr std::uint32_t kAllMayRead = 0444;
  const MutexLock lock(mutex_);
  if ((attrs_.permissions & kAllMayRead) == kAllMayRead) return true;
  return readable_as_ && readable_as_->permissions == attrs_.permissions &&
         readable_as_->uid == attrs_.uid && readable_as_->gid == attrs_.gid;
}

bool Inode::kernel_cache_is_current() {
  const MutexLock lock(mutex_);
  const bool current = kernel_generation_ == generation_;
  kernel_generation_ = generation_;
  return current;
}

void Inode::tell_kernel(const sftp::Attrs& attrs) {
  const MutexLock lock(mutex_);
  kernel_size_ = attrs.size;
  kernel_mtime_ = attrs.mtime;
}

bool Inode::kernel_attrs_are_old() const {
  const MutexLock lock(mutex_);
  return kernel_size_ != attrs_.size || kernel_mtime_ != attrs_.mtime;
}

std::shared_ptr<FileIo> Inode::acquire_io(const std::function<std::shared_ptr<FileIo>()>& make) {
  const MutexLock lock(mutex_);
  if (io_ == nullptr) io_ = make();
  ++io_users_;
  return io_;
}

void Inode::release_io() {
  std::shared_ptr<FileIo> last;  // destroyed outside the lock
  const MutexLock lock(mutex_);
  SFTPFS_CHECK(io_users_ > 0);
  if (--io_users_ == 0) last.swap(io_);
}

std::shared_ptr<FileIo> Inode::io() const {
  const MutexLock lock(mutex_);
  return io_;
}

}  // namespace sftpfs::fs
