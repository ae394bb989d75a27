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

// The looks below fail only if nobody waits any longer; then that is the answer.
runtime::Task<Result<bool>> disk_is_full(SessionSlot& slot, std::string path,
                                         runtime::Cancel* cancel) {
  auto send = [path](sftp::Client& client) { return client.statvfs(path); };
  const Result<sftp::StatVfs> space = co_await ask<sftp::StatVfs>(slot, cancel, send);
  const bool told = space || was_refused(space) || space.error().is(ErrorCode::kUnsupported);
  if (!told) co_return fail(space.error());
  co_return space &&
      (space->blocks_available == 0 || (space->files > 0 && space->files_available == 0));
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

runtime::Task<Result<int>> explain_rename(SessionSlot& slot, Situation situation,
                                          runtime::Cancel* cancel) {
  const auto source = co_await look_at(slot, situation.other, cancel);
  if (!source) co_return fail(source.error());
  const auto target = co_await look_at(slot, situation.path, cancel);
  if (!target) co_return fail(target.error());
  if (!*source) co_return ENOENT;
  if (is_directory(*source) && is_directory(*target)) co_return ENOTEMPTY;
  if (is_directory(*target)) co_return EISDIR;
  if (*target && is_directory(*source)) co_return ENOTDIR;
  // Within one directory it cannot be another file system.
  if (directory_of(situation.path) != directory_of(situation.other)) co_return EXDEV;
  co_return EIO;
}

runtime::Task<Result<int>> explain_create(SessionSlot& slot, Situation situation,
                                          runtime::Cancel* cancel) {
  const auto there = co_await look_at(slot, situation.path, cancel);
  if (!there) co_return fail(there.error());
  if (*there) co_return EEXIST;
  const Result<bool> full = co_await disk_is_full(slot, directory_of(situation.path), cancel);
  if (!full) co_return fail(full.error());
  if (*full) co_return ENOSPC;
  // A link across file systems of the server, or one it does not make.
  if (!situation.other.empty()) co_return EXDEV;
  co_return EIO;
}

runtime::Task<Result<int>> explain_write(SessionSlot& slot, Situation situation,
                                         runtime::Cancel* cancel) {
  const Result<bool> full = co_await disk_is_full(slot, situation.path, cancel);
  if (!full) co_return fail(full.error());
  co_return *full ? ENOSPC : EIO;
}

// What a bare FAILURE was.
runtime::Task<Result<int>> explain_failure(SessionSlot& slot, Situation situation, int otherwise,
                                           runtime::Cancel* cancel) {
  switch (situation.attempt) {
    case Attempt::kRename: co_return co_await explain_rename(slot, situation, cancel);
    case Attempt::kCreate: co_return co_await explain_create(slot, situation, cancel);
    case Attempt::kWrite: co_return co_await explain_write(slot, situation, cancel);
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
