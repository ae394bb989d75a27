// See diagnose.h.
#include "fs/diagnose.h"

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string_view>

#include "fs/ask.h"

namespace sftpfs::fs {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kPathMax = 4096;

bool name_too_long(std::string_view path) {
  if (path.size() >= kPathMax) return true;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return path.size() > kNameMax;
    if (slash > kNameMax) return true;
    path.remove_prefix(slash + 1);
  }
  return false;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return "/";
  return path.substr(0, slash);
}

// The questions below fail only if nobody waits any longer; then that is the answer.

// What the server tells of a disk; nothing is known where it does not.
class Disk {
 public:
  Disk() = default;
  explicit Disk(const sftp::StatVfs& space) : space_(space) {}
  bool full() const {
    return space_ &&
           (space_->blocks_available == 0 || (space_->files > 0 && space_->files_available == 0));
  }
  bool read_only() const { return space_ && (space_->flags & kReadOnly) != 0; }
  // Certainly another one.
  bool differs_from(const Disk& other) const {
    return space_ && other.space_ && space_->filesystem_id != other.space_->filesystem_id;
  }

 private:
  static constexpr std::uint64_t kReadOnly = 0x1;  // SSH2_FXE_STATVFS_ST_RDONLY
  std::optional<sftp::StatVfs> space_;
};

runtime::Task<Result<Disk>> disk_of(SessionSlot& slot, std::string path, runtime::Cancel* cancel) {
  auto send = [path](sftp::Client& client) { return client.statvfs(path); };
  const Result<sftp::StatVfs> space = co_await ask<sftp::StatVfs>(slot, cancel, send);
  if (space) co_return Disk(*space);
  const bool told = was_refused(space) || space.error().is(ErrorCode::kUnsupported);
  if (!told) co_return fail(space.error());
  co_return Disk();
}

// What `path` names; no attributes: nothing, or nothing that may be seen.
runtime::Task<Result<std::optional<sftp::Attrs>>> look_at(SessionSlot& slot, std::string path,
                                                          runtime::Cancel* cancel) {
  auto send = [path](sftp::Client& client) { return client.lstat(path); };
  const Result<sftp::Attrs> attrs = co_await ask<sftp::Attrs>(slot, cancel, send);
  if (attrs) co_return std::optional<sftp::Attrs>(*attrs);
  if (!was_refused(attrs)) co_return fail(attrs.error());
  co_return std::optional<sftp::Attrs>();
}

bool is_directory(const std::optional<sftp::Attrs>& attrs) {
  return attrs && S_ISDIR(attrs->permissions);
}

// Whether another disk is mounted on the directory `path` of the disk `around`.
runtime::Task<Result<bool>> is_mount_point(SessionSlot& slot, std::string path, Disk around,
                                           runtime::Cancel* cancel) {
  const Result<Disk> inside = co_await disk_of(slot, path, cancel);
  if (!inside) co_return fail(inside.error());
  co_return inside->differs_from(around);
}

// Two names on one disk that can be written.
runtime::Task<Result<int>> explain_move(SessionSlot& slot, Situation situation, Disk disk,
                                        runtime::Cancel* cancel) {
  const auto source = co_await look_at(slot, situation.other, cancel);
  if (!source) co_return fail(source.error());
  const auto target = co_await look_at(slot, situation.path, cancel);
  if (!target) co_return fail(target.error());
  if (!*source) co_return ENOENT;
  if (is_directory(*target) && !is_directory(*source)) co_return EISDIR;
  if (*target && !is_directory(*target) && is_directory(*source)) co_return ENOTDIR;
  if (is_directory(*source)) {
    const Result<bool> busy = co_await is_mount_point(slot, situation.other, disk, cancel);
    if (!busy) co_return fail(busy.error());
    if (*busy) co_return EBUSY;
  }
  if (is_directory(*target)) {
    const Result<bool> busy = co_await is_mount_point(slot, situation.path, disk, cancel);
    if (!busy) co_return fail(busy.error());
    co_return *busy ? EBUSY : ENOTEMPTY;
  }
  if (disk.full()) co_return ENOSPC;
  // Within one directory it cannot be another file system.
  if (directory_of(situation.path) != directory_of(situation.other)) co_return EXDEV;
  co_return EIO;
}

runtime::Task<Result<int>> explain_rename(SessionSlot& slot, Situation situation,
                                          runtime::Cancel* cancel) {
  const Result<Disk> from = co_await disk_of(slot, directory_of(situation.other), cancel);
  if (!from) co_return fail(from.error());
  const Result<Disk> to = co_await disk_of(slot, directory_of(situation.path), cancel);
  if (!to) co_return fail(to.error());
  if (from->differs_from(*to)) co_return EXDEV;
  if (to->read_only()) co_return EROFS;
  co_return co_await explain_move(slot, situation, *to, cancel);
}

runtime::Task<Result<int>> explain_create(SessionSlot& slot, Situation situation,
                                          runtime::Cancel* cancel) {
  const auto there = co_await look_at(slot, situation.path, cancel);
  if (!there) co_return fail(there.error());
  if (*there) co_return EEXIST;
  const Result<Disk> disk = co_await disk_of(slot, directory_of(situation.path), cancel);
  if (!disk) co_return fail(disk.error());
  const bool is_link = !situation.other.empty();
  if (is_link) {
    const Result<Disk> from = co_await disk_of(slot, situation.other, cancel);
    if (!from) co_return fail(from.error());
    if (from->differs_from(*disk) && !disk->read_only()) co_return EXDEV;
  }
  if (disk->read_only()) co_return EROFS;
  if (disk->full()) co_return ENOSPC;
  // A link across file systems of the server that look like one, or one it does not make.
  co_return is_link ? EXDEV : EIO;
}

runtime::Task<Result<int>> explain_remove_dir(SessionSlot& slot, Situation situation,
                                              runtime::Cancel* cancel) {
  const Result<Disk> around = co_await disk_of(slot, directory_of(situation.path), cancel);
  if (!around) co_return fail(around.error());
  if (around->read_only()) co_return EROFS;
  const Result<bool> busy = co_await is_mount_point(slot, situation.path, *around, cancel);
  if (!busy) co_return fail(busy.error());
  co_return *busy ? EBUSY : ENOTEMPTY;
}

runtime::Task<Result<int>> explain_remove(SessionSlot& slot, Situation situation, int otherwise,
                                          runtime::Cancel* cancel) {
  const Result<Disk> disk = co_await disk_of(slot, directory_of(situation.path), cancel);
  if (!disk) co_return fail(disk.error());
  if (disk->read_only()) co_return EROFS;
  const auto there = co_await look_at(slot, situation.path, cancel);
  if (!there) co_return fail(there.error());
  co_return is_directory(*there) ? EISDIR : otherwise;
}

// Of an object that stays where it is. A file without a name has no disk that could be asked for.
runtime::Task<Result<int>> explain_change(SessionSlot& slot, Situation situation,
                                          runtime::Cancel* cancel) {
  if (situation.path.empty()) co_return EIO;
  const auto there = co_await look_at(slot, situation.path, cancel);
  if (!there) co_return fail(there.error());
  // The target of a link may be on another disk than the link.
  const bool is_link = *there && S_ISLNK((*there)->permissions);
  const std::string path = is_link ? directory_of(situation.path) : situation.path;
  const Result<Disk> disk = co_await disk_of(slot, path, cancel);
  if (!disk) co_return fail(disk.error());
  if (disk->read_only()) co_return EROFS;
  co_return situation.attempt == Attempt::kWrite && disk->full() ? ENOSPC : EIO;
}

// What a bare FAILURE was.
runtime::Task<Result<int>> explain_failure(SessionSlot& slot, Situation situation, int otherwise,
                                           runtime::Cancel* cancel) {
  switch (situation.attempt) {
    case Attempt::kRename: co_return co_await explain_rename(slot, situation, cancel);
    case Attempt::kCreate: co_return co_await explain_create(slot, situation, cancel);
    case Attempt::kRemove: co_return co_await explain_remove(slot, situation, otherwise, cancel);
    case Attempt::kRemoveDir: co_return co_await explain_remove_dir(slot, situation, cancel);
    case Attempt::kOpenToWrite:
    case Attempt::kChange:
    case Attempt::kWrite: co_return co_await explain_change(slot, situation, cancel);
    default: co_return otherwise;
  }
}

}  // namespace

runtime::Task<Error> explain(SessionSlot& slot, Error error, Situation situation,
                             runtime::Cancel* cancel) {
  const int code = to_errno(error, situation.attempt);
  if (error.is_sftp(sftp::kFxBadMessage)) {
    const bool too_long = name_too_long(situation.path) || name_too_long(situation.other);
    co_return Error::system(too_long ? ENAMETOOLONG : EINVAL, error.message());
  }
  if (!error.is_sftp(sftp::kFxFailure)) co_return Error::system(code, error.message());
  const Result<int> found = co_await explain_failure(slot, situation, code, cancel);
  if (!found) co_return found.error();
  co_return Error::system(*found, error.message());
}

}  // namespace sftpfs::fs
