// See operation.h.
#include "fs/fuse/operation.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "base/log.h"
#include "fs/fuse/caller_signals.h"
#include "fs/fuse/channel.h"
#include "fs/fuse/convert.h"
#include "fs/fuse/directory_buffer.h"

namespace sftpfs::fuse {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(100);
// A server that is well has answered by then, and so the call ends as on a disk; else its caller,
// who asked to be ended, is let go within a second.
constexpr Duration kPatience = std::chrono::milliseconds(800);

bool has_connection(fs::Shared& shared) {
  const auto& slots = shared.pool.slots();
  return std::any_of(slots.begin(), slots.end(), [](const auto& slot) { return slot->ready(); });
}

}  // namespace

Operation::Operation(fuse_req_t request, Channel& channel)
    : request_(request),
      channel_(channel),
      info_(channel.current_request()),
      deadline_(channel.loop()),
      signals_(channel.loop()),
      position_(channel.enter(*this)) {
  const fuse_ctx* caller = fuse_req_ctx(request);
  context_.uid = caller->uid;
  context_.gid = caller->gid;
  context_.pid = static_cast<std::uint32_t>(caller->pid);
  filesystem().shared().counters.operations.fetch_add(1, std::memory_order_relaxed);
  const std::optional<Duration>& timeout = filesystem().shared().live().operation_timeout;
  if (timeout) {
    deadline_.start_after(
        *timeout, [cancel = context_.cancel] { cancel->cancel(runtime::CancelReason::kTimedOut); });
  }
  // Called at once if the INTERRUPT has overtaken the request.
  fuse_req_interrupt_func(request, &Operation::on_interrupt, this);
}

void Operation::on_interrupt(fuse_req_t, void* data) {
  Operation& self = *static_cast<Operation*>(data);
  const PendingSignals pending = pending_signals(self.context_.pid);
  if (pending == PendingSignals::kNone || pending == PendingSignals::kEnd) {
    self.context_.cancel->cancel(runtime::CancelReason::kInterrupted);
    return;
  }
  // No further signal will be told.
  self.channel_.loop().post(
      [cancel = std::weak_ptr(self.context_.cancel), channel = &self.channel_, &self] {
        // Whoever holds it keeps the channel as well.
        const auto alive = cancel.lock();
        if (alive && channel->is_under_way(self)) self.watch_signals(Duration::zero());
      });
}

void Operation::watch_signals(Duration asked_to_end_for) {
  const PendingSignals pending = pending_signals(context_.pid);
  const bool asked = pending == PendingSignals::kAsksToEnd;
  const bool hopeless =
      asked && (asked_to_end_for >= kPatience || !has_connection(filesystem().shared()));
  if (pending == PendingSignals::kEnd || hopeless) {
    context_.cancel->cancel(runtime::CancelReason::kInterrupted);
    return;
  }
  const Duration next = asked ? asked_to_end_for + kLookAgain : Duration::zero();
  signals_.start_after(kLookAgain, [this, next] { watch_signals(next); });
}

Operation::~Operation() {
  if (request_ != nullptr) fuse_reply_err(finish(), EIO);
  channel_.leave(position_);
}

fs::Filesystem& Operation::filesystem() const { return channel_.filesystem(); }

fuse_req_t Operation::finish() {
  // Waits for an interrupt that is just being delivered by another worker.
  fuse_req_interrupt_func(request_, nullptr, nullptr);
  return std::exchange(request_, nullptr);
}

void Operation::reply_error(const Error& error, fs::Attempt attempt) {
  const int code = fs::to_errno(error, attempt);
  if (!error.is(ErrorCode::kSystem) && !error.is(ErrorCode::kSftpStatus) &&
      !error.is(ErrorCode::kCancelled)) {
    log_warning("operation failed: {}", error.describe());
  }
  fuse_reply_err(finish(), code);
}

void Operation::reply_ok() { fuse_reply_err(finish(), 0); }

void Operation::reply_status(const Status& status, fs::Attempt attempt) {
  if (status) {
    reply_ok();
  } else {
    reply_error(status.error(), attempt);
  }
}

void Operation::reply_entry(const Result<fs::EntryReply>& entry, fs::Attempt attempt) {
  if (!entry) return reply_error(entry.error(), attempt);
  const fuse_entry_param param = to_entry_param(*entry);
  if (fuse_reply_entry(finish(), &param) != 0) forget_lookup(entry->ino);
}

void Operation::reply_attr(const Result<fs::AttrReply>& attr, fs::Attempt attempt) {
  if (!attr) return reply_error(attr.error(), attempt);
  const struct stat out = to_stat(attr->attr);
  fuse_reply_attr(finish(), &out, attr->timeout_s);
}

void Operation::reply_open(const Result<fs::OpenReply>& open, fs::Attempt attempt) {
  if (!open) return reply_error(open.error(), attempt);
  const fuse_file_info info = to_file_info(*open);
  if (fuse_reply_open(finish(), &info) != 0) channel_.discard_handle(open->handle);
}

void Operation::reply_opendir(const Result<fs::OpenReply>& open) {
  if (!open) return reply_error(open.error(), fs::Attempt::kOpen);
  const fuse_file_info info = to_file_info(*open);
  if (fuse_reply_open(finish(), &info) != 0) channel_.discard_directory(open->handle);
}

void Operation::reply_create(const Result<fs::CreateReply>& create, fs::Attempt attempt) {
  if (!create) return reply_error(create.error(), attempt);
  const fuse_entry_param param = to_entry_param(create->entry);
  const fuse_file_info info = to_file_info(create->open);
  if (fuse_reply_create(finish(), &param, &info) != 0) {
    channel_.discard_handle(create->open.handle);
    forget_lookup(create->entry.ino);
  }
}

void Operation::reply_read(const Result<fs::ReadReply>& read) {
  if (!read) return reply_error(read.error(), fs::Attempt::kRead);
  filesystem().shared().counters.bytes_read.fetch_add(read->size_bytes, std::memory_order_relaxed);
  if (read->pieces.empty()) {
    fuse_reply_buf(finish(), nullptr, 0);
    return;
  }
  fuse_reply_iov(finish(), read->pieces.data(), static_cast<int>(read->pieces.size()));
}

void Operation::reply_written(const Result<std::size_t>& size) {
  if (!size) return reply_error(size.error(), fs::Attempt::kWrite);
  filesystem().shared().counters.bytes_written.fetch_add(*size, std::memory_order_relaxed);
  fuse_reply_write(finish(), *size);
}

void Operation::reply_link(const Result<std::string>& target) {
  if (!target) return reply_error(target.error(), fs::Attempt::kReadLink);
  fuse_reply_readlink(finish(), target->c_str());
}

void Operation::reply_statfs(const Result<fs::StatFsReply>& space) {
  if (!space) return reply_error(space.error(), fs::Attempt::kStatFs);
  const struct statvfs out = to_statvfs(*space);
  fuse_reply_statfs(finish(), &out);
}

void Operation::reply_lseek(const Result<std::uint64_t>& offset) {
  if (!offset) return reply_error(offset.error(), fs::Attempt::kRead);
  fuse_reply_lseek(finish(), static_cast<off_t>(*offset));
}

void Operation::reply_directory(const DirectoryBuffer& entries) {
  if (fuse_reply_buf(finish(), entries.data(), entries.size()) == 0) return;
  for (const std::uint64_t inode : entries.looked_up()) forget_lookup(inode);
}

void Operation::forget_lookup(std::uint64_t inode) {
  if (inode != 0) filesystem().forget(inode, 1);
}

}  // namespace sftpfs::fuse
