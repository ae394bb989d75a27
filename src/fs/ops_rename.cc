// Filesystem: renaming. See ops_namespace.cc for what becomes of a request whose answer is lost.
#include <linux/fs.h>

#include <cerrno>

#include "fs/ask.h"
#include "fs/diagnose.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/shield.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

runtime::Task<Result<sftp::Attrs>> look_at(SessionSlot& slot, std::string path,
                                           runtime::Cancel* cancel) {
  auto send = [path](sftp::Client& client) { return client.lstat(path); };
  co_return co_await ask<sftp::Attrs>(slot, cancel, send);
}

}  // namespace

Completion Filesystem::rename(OperationContext& op, std::uint64_t parent, std::string name,
                              std::uint64_t new_parent, std::string new_name, std::uint32_t flags) {
  // rename(2): EINVAL where the file system does not know a flag (exchange, whiteout).
  if ((flags & ~static_cast<std::uint32_t>(RENAME_NOREPLACE)) != 0) {
    co_return fail(Error::system(EINVAL));
  }
  const Result<InodeRef> from = find(parent);
  if (!from) co_return fail(from.error());
  const Result<InodeRef> to = find(new_parent);
  if (!to) co_return fail(to.error());
  const bool replace = (flags & RENAME_NOREPLACE) == 0;
  const auto early = [this, &from, &to, &name, &new_name, replace] {
    return rename_ahead(*from, name, *to, new_name, replace);
  };
  const Result<bool> ahead = co_await ahead_or_settled(op, early);
  if (!ahead) co_return fail(ahead.error());
  if (*ahead) co_return Status();
  const Lease lease(shared_.pool.pick());
  SessionSlot& slot = lease.slot();
  auto start = [this, &slot, from = *from, name, to = *to, new_name,
                replace](OperationContext& own) {
    return rename_on(slot, own, from, name, to, new_name, replace);
  };
  co_return co_await runtime::run_on(lease.loop(), shielded(shared_.counters, op, start));
}

Completion Filesystem::rename_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                 std::string name, InodeRef new_parent, std::string new_name,
                                 bool replace) {
  const Journal::Pause pause(shared_.journal);
  const Status settled = co_await shared_.journal.settled(op.cancel.get());
  if (!settled) co_return settled;
  const InodeRef source = shared_.inodes.find_child(*parent, name);
  const InodeRef target = shared_.inodes.find_child(*new_parent, new_name);
  const ChangeScope moved(source, Change::kOther);
  const ChangeScope replaced(target, Change::kOther);
  while (true) {
    const Status source_kept = co_await keep_open(op, source);
    if (!source_kept) co_return source_kept;
    const Status target_kept = co_await keep_open(op, target);
    if (!target_kept) co_return target_kept;
    const NamesInFlux::Scope flux(shared_.names_in_flux);
    const Result<std::string> from = shared_.inodes.path(*parent, name);
    if (!from) co_return fail(from.error());
    const Result<std::string> to = shared_.inodes.path(*new_parent, new_name);
    if (!to) co_return fail(to.error());
    Result<ClientRef> client = co_await slot.session().ready(op.cancel.get());
    if (!client) co_return fail(client.error());
    // SSH_FXP_RENAME fails where the new name exists: just what NOREPLACE wants, and all there is
    // on servers without posix-rename.
    const bool posix = replace && (*client)->extensions().posix_rename;
    sftp::Call<void> call =
        posix ? (*client)->posix_rename(*from, *to) : (*client)->rename(*from, *to);
    Status renamed = co_await call;
    if (replace && !posix && was_refused(renamed)) {
      Status forced = co_await replace_name(slot, new_parent, *from, *to, renamed.error());
      renamed = std::move(forced);
    }
    name_in_doubt(*parent, name);
    name_in_doubt(*new_parent, new_name);
    bool done = renamed.has_value();
    if (was_lost(renamed)) {
      // Before anything is opened again by either name it must be known whose it is now.
      const Result<bool> ours = co_await moved_before(slot, *from, *to);
      if (!ours) co_return fail(ours.error());
      if (!*ours && op.cancel->cancelled()) co_return fail(op.cancel->error());
      if (!*ours) continue;
      done = true;
    }
    if (!done) {
      const Attempt attempt = replace ? Attempt::kRename : Attempt::kCreate;
      const Situation situation(attempt, *to, *from);
      const Error error = co_await explain(slot, renamed.error(), situation, op.cancel.get());
      co_return fail(error);
    }
    shared_.inodes.rename(*parent, name, new_parent, new_name);
    name_removed(*parent, name);
    name_made(*new_parent, new_name);
    co_return Status();
  }
}

// Whether the old name is gone and the new one there.
// Never interrupted: whoever opens files again waits for the answer.
Outcome<bool> Filesystem::moved_before(SessionSlot& slot, std::string from, std::string to) {
  const Result<sftp::Attrs> source = co_await look_at(slot, from, nullptr);
  if (!source && !was_refused(source)) co_return fail(source.error());
  const Result<sftp::Attrs> target = co_await look_at(slot, to, nullptr);
  if (!target && !was_refused(target)) co_return fail(target.error());
  co_return !source && source.error().is_sftp(sftp::kFxNoSuchFile) && target;
}

}  // namespace sftpfs::fs
