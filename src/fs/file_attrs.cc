// FileIo: attributes of a file that we have made and are writing. See file_io.h.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

// As long as this the server does not know of a change.
constexpr Duration kDeferredFor = std::chrono::milliseconds(50);

void merge(SetAttr& into, const SetAttr& change) {
  if (change.has_mode) {
    into.has_mode = true;
    into.mode = change.mode;
  }
  if (change.has_uid) {
    into.has_uid = true;
    into.uid = change.uid;
  }
  if (change.has_gid) {
    into.has_gid = true;
    into.gid = change.gid;
  }
  if (change.has_atime) {
    into.has_atime = true;
    into.atime = change.atime;
  }
  if (change.has_mtime) {
    into.has_mtime = true;
    into.mtime = change.mtime;
  }
}

}  // namespace

OpenFileRef FileIo::maker() const {
  for (const std::weak_ptr<OpenFile>& each : descriptors_) {
    const OpenFileRef file = each.lock();
    if (file && file->made_here && file->writable && !file->lost && !file->write_error) return file;
  }
  return nullptr;
}

void FileIo::defer_attrs(const SetAttr& change, const OpenFileRef& file, ApplyAttrs apply) {
  if (!deferred_) {
    deferred_ = std::make_unique<DeferredAttrs>(shared_from_this(), file, std::move(apply));
    deferred_->timer.start_after(kDeferredFor, [io = weak_from_this()] {
      const std::shared_ptr<FileIo> self = io.lock();
      if (self) self->send_deferred();
    });
  }
  merge(deferred_->change, change);
}

void FileIo::send_deferred() {
  if (!deferred_ || setting_.inside() > 0) return;
  send_gathered();
  runtime::spawn(apply_attrs(shared_from_this(), std::move(deferred_)));
}

runtime::Task<void> FileIo::apply_attrs(std::shared_ptr<FileIo> self,
                                        std::unique_ptr<DeferredAttrs> attrs) {
  attrs->timer.cancel();
  std::optional<Setting> setting;
  setting.emplace(self, attrs->change.has_mtime);
  const OpenFileRef file = attrs->file.lock();
  const Status applied = co_await attrs->apply(self, attrs->change, file);
  if (!applied) {
    const Result<std::string> path = self->shared_.inodes.path(*self->inode_);
    log_error("the attributes of {} were refused: {}", path ? *path : "a removed file",
              applied.error().describe());
    if (file && !file->write_error) file->write_error = applied.error();
  }
  attrs.reset();
  setting.reset();
}

bool FileIo::write_must_wait() const {
  if (shared_.options.durability != Durability::kFsync) return !attrs_settled();
  return setting_times_ > 0 || (deferred_ && deferred_->change.has_mtime);
}

runtime::Task<Status> FileIo::pin_times(OpenFileRef file) {
  while (!attrs_settled() || resizing_ > 0) {
    const Status settled = co_await settle_attrs(nullptr);
    if (!settled) co_return settled;
    if (resizing_ > 0) {
      co_await resized_.wait();
    }
  }
  const Setting setting(shared_from_this(), true);
  const AttrView view = inode_->view(shared_.clock.now());
  const ChangeScope change(inode_, Change::kAhead);
  const bool ours = view.locally_modified || file->ours;
  if (!view.known || !ours || file->lost) co_return fail(ErrorCode::kCancelled);
  sftp::Attrs times;
  times.flags = sftp::kAttrTimes;
  times.atime = view.attrs.atime;
  times.mtime = view.attrs.mtime;
  auto set = [times](sftp::Client& client, const sftp::Handle& handle, sftp::Queue queue) {
    return client.fsetstat(handle, times, queue);
  };
  const Status pinned = co_await ask_file<void>(file, nullptr, set);
  if (!pinned) log_debug("{}: its times were not set: {}", file->path, pinned.error().describe());
  AttrToken token;
  auto look = [this, &token](sftp::Client& client, const sftp::Handle& handle, sftp::Queue queue) {
    token = shared_.token(Ordering::kBehindChanges);
    return client.fstat(handle, queue);
  };
  const Result<sftp::Attrs> attrs = co_await ask_file<sftp::Attrs>(file, nullptr, look);
  if (!attrs) co_return fail(attrs.error());
  // What was deferred meanwhile is shown already, and will bring its own answer.
  if (!attrs_deferred()) inode_->adopt(*attrs, token, shared_.lifetime(*attrs));
  co_return Status();
}

runtime::Task<Status> FileIo::settle_attrs(runtime::Cancel* cancel) {
  while (!attrs_settled()) {
    send_deferred();
    const Status settled = co_await setting_.drained(cancel);
    if (!settled) co_return settled;
  }
  co_return Status();
}

}  // namespace sftpfs::fs
