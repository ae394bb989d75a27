// Filesystem: a rename that replaces, on servers whose RENAME refuses a name that is taken and
// which have no posix-rename@openssh.com.
//
//   to ──rename──► aside     refused: nothing has changed
//   from ──rename──► to      refused: aside goes back to `to`
//   remove aside
//
// Nothing is ever removed before something else has its name: who crashes in between finds the old
// file in the same directory, by a name that begins with ".sftpfs-". An empty directory is removed
// at once. Nobody interrupts this: its caller runs behind a shield.
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/filesystem.h"

namespace sftpfs::fs {
namespace {

// One of its own for each use. Should it be taken nevertheless, RENAME refuses it.
std::string name_aside(Shared& shared) {
  const WallTime now = shared.clock.wall_now();
  return fmt::format(".sftpfs-{:x}-{:x}-{:x}", now.seconds, now.nanoseconds,
                     shared.token(Ordering::kIndependent).tick);
}

std::string beside(const std::string& path, const std::string& name) {
  return path.substr(0, path.rfind('/') + 1) + name;
}

runtime::Task<Result<sftp::Attrs>> look_at(SessionSlot& slot, std::string path) {
  auto send = [path](sftp::Client& client) { return client.lstat(path); };
  co_return co_await ask<sftp::Attrs>(slot, nullptr, send);
}

}  // namespace

// RENAME until there is an answer: one that was lost may have been carried out.
Completion Filesystem::move_name(SessionSlot& slot, std::string from, std::string to) {
  while (true) {
    Result<ClientRef> client = co_await slot.session().ready(nullptr);
    if (!client) co_return fail(client.error());
    const Status moved = co_await (*client)->rename(from, to);
    if (!was_lost(moved)) co_return moved;
    const Result<bool> ours = co_await moved_before(slot, from, to);
    if (!ours) co_return fail(ours.error());
    if (*ours) co_return Status();
  }
}

Completion Filesystem::replace_directory(SessionSlot& slot, std::string from, std::string to,
                                         std::uint32_t mode) {
  auto remove = [to](sftp::Client& client) { return client.rmdir(to); };
  const Status removed = co_await ask<void>(slot, nullptr, remove);
  const bool gone = removed || removed.error().is_sftp(sftp::kFxNoSuchFile);
  if (!gone) co_return removed;
  const Status moved = co_await move_name(slot, from, to);
  if (moved || !was_refused(moved)) co_return moved;
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode;
  auto restore = [to, attrs](sftp::Client& client) { return client.mkdir(to, attrs); };
  const Status restored = co_await ask<void>(slot, nullptr, restore);
  if (!restored) log_error("the empty directory {} could not be made again", to);
  co_return moved;
}

Completion Filesystem::replace_file(SessionSlot& slot, std::string from, std::string to,
                                    std::string aside) {
  const Status stepped = co_await move_name(slot, to, aside);
  if (!stepped) co_return stepped;
  const Status moved = co_await move_name(slot, from, to);
  if (!moved) {
    const Status back = co_await move_name(slot, aside, to);
    if (!back) log_error("{} could not be renamed back: it is {} now", to, aside);
    co_return moved;
  }
  auto remove = [aside](sftp::Client& client) { return client.remove(aside); };
  const Status removed = co_await ask<void>(slot, nullptr, remove);
  const bool gone = removed || removed.error().is_sftp(sftp::kFxNoSuchFile);
  if (!gone) log_error("{}, which was replaced, could not be removed", aside);
  co_return Status();
}

// `refusal` where there is nothing to replace, or nothing that may be replaced by `from`.
Completion Filesystem::replace_name(SessionSlot& slot, InodeRef new_parent, std::string from,
                                    std::string to, Error refusal) {
  const Result<sftp::Attrs> source = co_await look_at(slot, from);
  if (!source) co_return fail(was_refused(source) ? refusal : source.error());
  const Result<sftp::Attrs> target = co_await look_at(slot, to);
  if (!target) co_return fail(was_refused(target) ? refusal : target.error());
  const bool directory = S_ISDIR(source->permissions);
  if (directory != S_ISDIR(target->permissions)) co_return fail(refusal);
  if (directory) {
    co_return co_await replace_directory(slot, from, to, target->permissions & 07777);
  }
  const std::string name = name_aside(shared_);
  const Status replaced = co_await replace_file(slot, from, to, beside(to, name));
  name_removed(*new_parent, name);
  co_return replaced;
}

}  // namespace sftpfs::fs
