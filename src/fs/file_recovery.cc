// FileIo: what happens to an open inode when its connection is lost. See file_io.h for the states.
//
// A handle dies with its connection. So every descriptor gets a new one, by the name its inode has
// now; what must not happen twice (CREAT, EXCL, TRUNC) is left out. Then it is made sure that the
// file is still the same, and what was not acknowledged is written again.
//
// SFTP v3 shows neither inode numbers nor generations. A file is taken for the same if its size
// and modification time are those we knew; where they differ, because we were writing or because
// somebody appended to it, if it still holds the bytes that we know it held.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "fs/append_replay.h"
#include "fs/ask.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::uint32_t kOwnerMayReadAndWrite = 0600;

// A handle of its own, because that of a writer cannot be read from. Empty at the end of the file.
runtime::Task<Result<std::vector<std::byte>>> read_by_name(ClientRef client, std::string path,
                                                           std::uint64_t offset,
                                                           std::size_t size_bytes) {
  const sftp::Attrs unset;
  const Result<sftp::Handle> handle = co_await client->open(path, sftp::kOpenRead, unset);
  if (!handle) co_return fail(handle.error());
  std::vector<std::byte> bytes(size_bytes);
  const Result<std::size_t> size =
      co_await client->read(*handle, offset, bytes, offset + size_bytes, sftp::Queue::kMetadata);
  client->close(*handle).forget();
  if (!size) co_return fail(size.error());
  bytes.resize(*size);
  co_return Result<std::vector<std::byte>>(std::move(bytes));
}

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

}  // namespace

FileIo::~FileIo() {
  // A lost connection may be ours alone, and dies at home only.
  if (client_ && &home() != runtime::Loop::current()) home().post([last = std::move(client_)] {});
}

// --- The states ---------------------------------------------------------------------------------

runtime::Task<Status> FileIo::live(OpenFileRef file, runtime::Cancel* cancel) {
  while (true) {
    if (file != nullptr && file->lost) co_return fail(*file->lost);
    if (ended_) co_return fail(*ended_);
    if (is_live()) co_return Status();
    start_recovery();
    if (!recovering_) continue;
    const bool notified = co_await recovered_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
}

void FileIo::attach(const OpenFileRef& file) {
  if (descriptors_.empty()) slot_.add_user(weak_from_this());
  std::erase_if(descriptors_, [](const auto& each) { return each.expired(); });
  const bool alone = descriptors_.empty() && unacknowledged_.empty() && !recovering_;
  if (alone) client_ = file->client;
  descriptors_.push_back(file);
  // Else the connection was lost between the opening and now.
  if (!is_live() || file->client != client_) start_recovery();
}

void FileIo::connection_lost() {
  if (!is_live()) start_recovery();
}

void FileIo::session_ready() {
  if (client_ != slot_.session().current()) start_recovery();
}

void FileIo::start_recovery() {
  if (recovering_ || ended_) return;
  recovering_ = true;
  runtime::spawn(recover(shared_from_this()));
}

runtime::Task<void> FileIo::recover(std::shared_ptr<FileIo> self) {
  while (true) {
    const Result<ClientRef> client = co_await self->slot_.session().ready(nullptr);
    if (!client) {
      self->end(client.error());
      co_return;
    }
    const Status reopened = co_await self->reopen_all(*client);
    const bool usable = reopened && (*client)->alive();
    if (!usable) continue;
    self->client_ = *client;
    self->recovering_ = false;
    self->send_again();
    self->recovered_.notify_all();
    co_return;
  }
}

// The session is closed for good: what is not on the server will never be.
void FileIo::end(const Error& why) {
  send_gathered();
  ended_ = why;
  recovering_ = false;
  std::size_t lost_bytes = 0;
  for (const ExtentRef& extent : unacknowledged_.all()) {
    if (extent->settled) continue;
    lost_bytes += extent->accepted_bytes;
    extent->refused = true;
    if (!extent->file->write_error) extent->file->write_error = why;
  }
  if (lost_bytes > 0) {
    log_error("{} bytes of {} did not reach the server: {}", lost_bytes,
              unacknowledged_.all().front()->file->path, why.describe());
  }
  const std::deque<ExtentRef> all = unacknowledged_.all();
  for (const ExtentRef& extent : all) settle(*extent);
  recovered_.notify_all();
}

void FileIo::send_again() {
  const std::deque<ExtentRef> all = unacknowledged_.all();
  for (const ExtentRef& extent : all) {
    // What was appended is looked for in the file instead; what was refused stays so.
    const bool appended = (extent->file->reopen_flags & sftp::kOpenAppend) != 0;
    const bool done = extent->refused || (appended && extent->settled);
    if (done) continue;
    extent->settled = false;
    runtime::spawn(transmit(shared_from_this(), extent));
  }
}

// --- Reopening ----------------------------------------------------------------------------------

OpenFileRef FileIo::next_to_reopen(const ClientRef& client) {
  for (const std::weak_ptr<OpenFile>& each : descriptors_) {
    OpenFileRef file = each.lock();
    if (file && !file->lost && file->client != client) return file;
  }
  return nullptr;
}

runtime::Task<Status> FileIo::reopen_all(ClientRef client) {
  // Others may be attached meanwhile.
  for (OpenFileRef file = next_to_reopen(client); file; file = next_to_reopen(client)) {
    const Status reopened = co_await reopen(file, client);
    if (!reopened) co_return reopened;
  }
  co_return Status();
}

void FileIo::lose(const OpenFileRef& file, const std::string& why) {
  log_error("{}: an open file was lost with the connection: {}", file->path, why);
  file->lost = Error::system(ESTALE, file->path + ": " + why);
}

// Fails only with kConnectionLost. A file that cannot be opened again is lost, which is no failure.
runtime::Task<Status> FileIo::reopen(OpenFileRef file, ClientRef client) {
  const Result<std::string> path = shared_.inodes.path(*inode_);
  if (!path) {
    lose(file, "it was removed while it was open");
    co_return Status();
  }
  const AttrToken token = shared_.token(Ordering::kIndependent);
  const Result<sftp::Handle> handle = co_await open_again(file, *path, client);
  if (!handle) {
    if (was_lost(handle)) co_return fail(handle.error());
    const Result<std::string> path_now = shared_.inodes.path(*inode_);
    if (handle.error().is_sftp(sftp::kFxNoSuchFile) && path_now && *path_now != *path) {
      co_return co_await reopen(file, client);
    }
    lose(file, "it cannot be opened again: " + handle.error().describe());
    co_return Status();
  }
  const Result<sftp::Attrs> now = co_await client->fstat(*handle);
  if (was_lost(now)) co_return fail(now.error());
  Result<bool> same = now ? Result<bool>(true) : Result<bool>(false);
  if (now) {
    Result<bool> compared = co_await same_file(*path, *now, client);
    same = std::move(compared);
  }
  if (!same) co_return fail(same.error());
  if (!*same) {
    client->close(*handle).forget();
    lose(file, "another file has taken its name");
    co_return Status();
  }
  if (mode_to_restore_) {
    client->fsetstat(*handle, with_permissions(*mode_to_restore_)).forget();
    mode_to_restore_.reset();
  }
  const Status trimmed = co_await trim_appended(file, *path, now->size, client);
  if (!trimmed) co_return trimmed;
  inode_->adopt(*now, token, shared_.options.attr_lifetime);
  file->handle = *handle;
  file->client = client;
  co_return Status();
}

runtime::Task<Result<sftp::Handle>> FileIo::open_again(OpenFileRef file, std::string path,
                                                       ClientRef client) {
  while (true) {
    sftp::Call<sftp::Handle> open = client->open(path, file->reopen_flags, sftp::Attrs());
    // A link that took the name would be followed.
    sftp::Call<sftp::Attrs> look = client->lstat(path);
    Result<sftp::Handle> handle = co_await open;
    if (!handle && handle.error().is_sftp(sftp::kFxNoSuchFile)) {
      // Perhaps one of our own renames has moved it already.
      const bool waited = co_await shared_.names_in_flux.settled();
      if (waited) continue;
    }
    const Result<sftp::Attrs> named = co_await look;
    const bool regular = named && S_ISREG(named->permissions);
    if (handle && named && !regular) {
      client->close(*handle).forget();
      co_return fail(ErrorCode::kInvalid, "something else has taken its name");
    }
    if (!handle && handle.error().is_sftp(sftp::kFxPermissionDenied) && regular) {
      co_return co_await open_despite_mode(file, path, named->permissions, client);
    }
    co_return handle;
  }
}

// A file may be open for writing although its mode forbids it: that of a file just made, or after
// a chmod. For its owner the mode is put aside for a moment.
runtime::Task<Result<sftp::Handle>> FileIo::open_despite_mode(OpenFileRef file, std::string path,
                                                              std::uint32_t mode,
                                                              ClientRef client) {
  if (!mode_to_restore_) mode_to_restore_ = mode & kPermissionBits;
  sftp::Call<void> permit = client->setstat(path, with_permissions(mode | kOwnerMayReadAndWrite));
  sftp::Call<sftp::Handle> open = client->open(path, file->reopen_flags, sftp::Attrs());
  const Status permitted = co_await permit;
  if (was_refused(permitted)) mode_to_restore_.reset();
  Result<sftp::Handle> handle = co_await open;
  if (was_refused(handle) && mode_to_restore_) {
    client->setstat(path, with_permissions(*mode_to_restore_)).forget();
    mode_to_restore_.reset();
  }
  co_return handle;
}

// --- The same file? -----------------------------------------------------------------------------

void FileIo::remember(std::uint64_t offset, ByteSpan bytes) {
  constexpr std::size_t kSampleBytes = 256;
  if (bytes.empty()) return;
  const ByteSpan part = bytes.first(std::min(bytes.size(), kSampleBytes));
  if (!sample_) sample_.emplace();
  sample_->offset = offset;
  sample_->generation = inode_->generation();
  sample_->bytes.assign(part.begin(), part.end());
}

// Fails only with kConnectionLost.
runtime::Task<Result<bool>> FileIo::same_file(std::string path, sftp::Attrs now, ClientRef client) {
  const AttrView view = inode_->view(shared_.clock.now());
  const bool ours = view.locally_modified || view.changing || !clean();
  const bool unchanged = now.size == view.attrs.size && now.mtime == view.attrs.mtime;
  if (view.known && !ours && unchanged) co_return true;
  const std::optional<ContentSample> sample = sample_;
  if (sample && sample->generation == view.generation) {
    const Result<std::vector<std::byte>> there =
        co_await read_by_name(client, path, sample->offset, sample->bytes.size());
    if (there) co_return *there == sample->bytes;
    if (was_lost(there)) co_return fail(there.error());
    // It cannot be read; its attributes must do.
  }
  // Nothing of its content was seen, or all that was has been overwritten since: only a file that
  // our own changes explain, or that was empty, is the same.
  co_return (ours && now.size <= view.attrs.size) || view.attrs.size == 0;
}

// --- Appended bytes -----------------------------------------------------------------------------

// Takes away from the unacknowledged bytes of `file` what has been appended already. Fails only
// with kConnectionLost.
runtime::Task<Status> FileIo::trim_appended(OpenFileRef file, std::string path,
                                            std::uint64_t size_bytes, ClientRef client) {
  if ((file->reopen_flags & sftp::kOpenAppend) == 0) co_return Status();
  std::vector<ExtentRef> extents;
  std::vector<ByteSpan> appended;
  for (const ExtentRef& extent : unacknowledged_.all()) {
    if (extent->file != file || extent->settled || extent->refused) continue;
    extents.push_back(extent);
    appended.push_back(extent->data.span());
  }
  if (extents.empty() || size_bytes <= extents.front()->offset) co_return Status();
  const std::uint64_t from = extents.front()->offset;
  // Others may have appended as well; farther than this nobody looks.
  constexpr std::uint64_t kTailBytesMax = 64 << 20;
  const std::uint64_t tail_bytes = std::min(size_bytes - from, kTailBytesMax);
  const Result<std::vector<std::byte>> tail =
      co_await read_by_name(client, path, from, static_cast<std::size_t>(tail_bytes));
  if (was_lost(tail)) co_return fail(tail.error());
  if (!tail) {
    log_warning(
        "{}: whether {} appended bytes are in the file cannot be seen ({}); they are"
        " appended again",
        path, appended.size(), tail.error().describe());
    co_return Status();
  }
  const std::vector<std::size_t> present = bytes_already_appended(*tail, appended);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    Extent& extent = *extents[i];
    const std::size_t rest = extent.data.size() - present[i];
    extent.data = extent.data.subspan(present[i], rest);
    extent.offset += present[i];
    if (rest == 0) settle(extent);
  }
  co_return Status();
}

}  // namespace sftpfs::fs
