// See diagnose.h.
#include "fs/diagnose.h"

#include <sys/stat.h>

#include <cerrno>
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

runtime::Task<bool> disk_is_full(SessionSlot& slot, std::string path, runtime::Cancel* cancel) {
  Result<ClientRef> client = co_await slot.session().ready(cancel);
  if (!client || !(*client)->extensions().statvfs) co_return false;
  const Result<sftp::StatVfs> space = co_await (*client)->statvfs(path).until(cancel);
  co_return space &&
      (space->blocks_available == 0 || (space->files > 0 && space->files_available == 0));
}

runtime::Task<Result<sftp::Attrs>> look_at(SessionSlot& slot, std::string path,
                                           runtime::Cancel* cancel) {
  auto send = [path](sftp::Client& client) { return client.lstat(path); };
  co_return co_await ask<sftp::Attrs>(slot, cancel, send);
}

bool is_directory(const Result<sftp::Attrs>& attrs) { return attrs && S_ISDIR(attrs->permissions); }

runtime::Task<int> explain_rename(SessionSlot& slot, Situation situation, runtime::Cancel* cancel) {
  const Result<sftp::Attrs> source = co_await look_at(slot, situation.other, cancel);
  const Result<sftp::Attrs> target = co_await look_at(slot, situation.path, cancel);
  if (!source) co_return ENOENT;
  if (target && is_directory(source) && is_directory(target)) co_return ENOTEMPTY;
  if (target && is_directory(target)) co_return EISDIR;
  if (target && is_directory(source)) co_return ENOTDIR;
  // Within one directory it cannot be another file system.
  if (directory_of(situation.path) != directory_of(situation.other)) co_return EXDEV;
  co_return EIO;
}

runtime::Task<int> explain_create(SessionSlot& slot, Situation situation, runtime::Cancel* cancel) {
  const Result<sftp::Attrs> there = co_await look_at(slot, situation.path, cancel);
  if (there) co_return EEXIST;
  const bool full = co_await disk_is_full(slot, directory_of(situation.path), cancel);
  if (full) co_return ENOSPC;
  // A link across file systems of the server, or one it does not make.
  if (!situation.other.empty()) co_return EXDEV;
  co_return EIO;
}

}  // namespace

runtime::Task<Error> explain(SessionSlot& slot, Error error, Situation situation,
                             runtime::Cancel* cancel) {
  int code = to_errno(error, situation.attempt);
  if (error.is_sftp(sftp::kFxBadMessage)) {
    const bool too_long = name_too_long(situation.path) || name_too_long(situation.other);
    code = too_long ? ENAMETOOLONG : EINVAL;
  } else if (error.is_sftp(sftp::kFxFailure)) {
    if (situation.attempt == Attempt::kRename) {
      const int found = co_await explain_rename(slot, situation, cancel);
      code = found;
    } else if (situation.attempt == Attempt::kCreate) {
      const int found = co_await explain_create(slot, situation, cancel);
      code = found;
    } else if (situation.attempt == Attempt::kWrite) {
      const bool full = co_await disk_is_full(slot, situation.path, cancel);
      if (full) code = ENOSPC;
    }
  }
  co_return Error::system(code, error.message());
}

}  // namespace sftpfs::fs
