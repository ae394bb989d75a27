// FileIo: what happens to an open inode when its connection is lost. See file_io.h for the states.
//
// A handle dies with its connection. So every descriptor gets a new one, by the name its inode has
// now; what must not happen twice (CREAT, EXCL, TRUNC) is left out. Then it is made sure that the
// file is still the same, and what was not acknowledged is written again.
#include <sys/stat.h>

#include <cerrno>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::uint32_t kOwnerMayReadAndWrite = 0600;

sftp::Attrs with_permissions(std::uint32_t mode) {
  sftp::Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = mode & kPermissionBits;
  return attrs;
}

}  // namespace

IoShare::IoShare(const std::shared_ptr<FileIo>& io) : hold_(io->shared().inodes, io->inode()) {
  inode()->acquire_io([&io] { return io; });
}

IoShare::~IoShare() { inode()->release_io(); }

FileIo::~FileIo() {
  // A lost connection may be ours alone, and dies at home only.
  if (&home() == runtime::Loop::current()) return;
  if (client_) home().post([last = std::move(client_)] {});
  if (deferred_) home().post([unsent = std::move(deferred_)] {});
}

// --- The states ---------------------------------------------------------------------------------

runtime::Task<Status> FileIo::live(OpenFileRef file, runtime::Cancel* cancel) {
  while (true) {
    if (file != nullptr && file->lost) co_return fail(*file->lost);
    if (ended_) co_return fail(*ended_);
    if (is_live() && striping_.routing == Routing::kHome) co_return Status();
    if (is_live()) {
      turn(false);
      if (striping_.routing == Routing::kHome) continue;
      ++striping_.wanted_home;
      const bool turned = co_await striping_.turned.wait(cancel);
      --striping_.wanted_home;
      if (!turned) co_return fail(cancel->error());
      continue;
    }
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

void FileIo::attach_unopened(const OpenFileRef& file) {
  if (descriptors_.empty()) slot_.add_user(weak_from_this());
  std::erase_if(descriptors_, [](const auto& each) { return each.expired(); });
  descriptors_.push_back(file);
  unopened_ = true;
  // Whoever waits for bytes that are held back waits for recovery from now on.
  if (!clean() || striping_.routing != Routing::kHome) start_recovery();
}

void FileIo::attach_unborn(const OpenFileRef& file) {
  slot_.add_user(weak_from_this());
  descriptors_.push_back(file);
  unborn_ = true;
  recovering_ = true;
}

void FileIo::born(const OpenFileRef& file, ClientRef client, sftp::Handle handle) {
  unborn_ = false;
  recovering_ = false;
  file->client = std::move(client);
  file->handle = std::move(handle);
  if (ended_) return;
  const bool usable = file->client && file->client->alive();
  if (!usable) return start_recovery();
  client_ = file->client;
  send_again();
  recovered_.notify_all();
}

void FileIo::not_born(const OpenFileRef& file, const std::string& why) {
  unborn_ = false;
  recovering_ = false;
  file->lost = Error::system(EIO, file->path + ": " + why);
  file->stale.store(true, std::memory_order_release);
  if (!ended_) start_recovery();
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
  progress_.notify_all();
  runtime::spawn(recover(shared_from_this()));
}

runtime::Task<void> FileIo::recover(std::shared_ptr<FileIo> self) {
  // Whoever looks the name up again, after the last close, shall find this inode.
  const IoShare share(self);
  while (true) {
    const Result<ClientRef> client = co_await self->slot_.session().ready(nullptr);
    if (!client) {
      self->end(client.error());
      co_return;
    }
    // What is still on its way over a lane must not come behind what is sent again.
    while (self->striping_.in_flight > 0) {
      co_await self->striping_.landed.wait();
    }
    const Status reopened = co_await self->reopen_all(*client);
    const bool usable = reopened && (*client)->alive();
    if (!usable) continue;
    self->client_ = *client;
    self->recovering_ = false;
    self->unopened_ = self->next_to_reopen(*client) != nullptr;
    self->striping_.routing = Routing::kHome;
    self->striping_.resend = false;
    self->striping_.forget();
    self->send_again();
    self->recovered_.notify_all();
    self->striping_.turned.notify_all();
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
    latch(*extent, why);
  }
  if (lost_bytes > 0) {
    log_error("{} bytes of {} did not reach the server: {}", lost_bytes,
              unacknowledged_.all().front()->file->path, why.describe());
  }
  const std::deque<ExtentRef> all = unacknowledged_.all();
  for (const ExtentRef& extent : all) settle(*extent);
  recovered_.notify_all();
  striping_.turned.notify_all();
}

void FileIo::send_again() {
  const std::deque<ExtentRef> all = unacknowledged_.all();
  for (const ExtentRef& extent : all) {
    // What was appended is looked for in the file instead; what was refused stays so.
    const bool done = extent->refused || (extent->appends() && extent->settled);
    if (done) continue;
    extent->settled = false;
    start_transmit(extent);
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

// Fails only with kConnectionLost.
runtime::Task<Status> FileIo::reopen_all(ClientRef client) {
  // Others may be attached meanwhile.
  for (OpenFileRef file = next_to_reopen(client); file; file = next_to_reopen(client)) {
    const Status reopened = co_await reopen(file, client);
    if (!reopened) co_return reopened;
  }
  const Status trimmed = co_await trim_appended(client);
  if (!trimmed) co_return trimmed;
  co_return co_await restore_mode(client);
}

// Also when nobody has the file open any more: until the server has said so, its mode is not what
// it was.
runtime::Task<Status> FileIo::restore_mode(ClientRef client) {
  if (!mode_aside_) co_return Status();
  const sftp::Attrs mode = with_permissions(mode_aside_->mode);
  Status restored = fail(ErrorCode::kUnsupported);
  for (const std::weak_ptr<OpenFile>& each : std::vector(descriptors_)) {
    const OpenFileRef file = each.lock();
    const bool open = file && !file->lost && file->client == client;
    if (!open) continue;
    Status answer = co_await client->fsetstat(file->handle, mode);
    restored = std::move(answer);
    if (restored || was_lost(restored)) break;
  }
  std::vector<std::string> names = shared_.inodes.paths(*inode_);
  while (!restored && !was_lost(restored) && !names.empty()) {
    Status answer = co_await client->setstat(names.front(), mode);
    restored = std::move(answer);
    if (restored || !restored.error().is_sftp(sftp::kFxNoSuchFile)) break;
    // By a rename of ours that was under way?
    const bool waited = co_await shared_.names_in_flux.settled();
    const std::vector<std::string> names_now = shared_.inodes.paths(*inode_);
    if (!waited && names_now == names) break;
    names = names_now;
  }
  if (was_lost(restored)) co_return restored;
  if (!restored) {
    log_warning("the mode of {} is {:o} and could not be set back: {}",
                names.empty() ? "a removed file" : names.front(), mode_aside_->mode,
                restored.error().describe());
  }
  shared_.doubt_names(*inode_);
  mode_aside_.reset();
  co_return Status();
}

// Closed and removed: whatever becomes of it, nobody can tell.
bool FileIo::is_abandoned(const OpenFile& file) const {
  return file.released && shared_.inodes.paths(*inode_).empty();
}

void FileIo::lose(const OpenFileRef& file, const std::string& why) {
  if (is_abandoned(*file)) {
    log_debug("{}: removed and closed before all of it was sent", file->path);
  } else if (file->client == nullptr) {
    log_warning("{}: opened without asking (nocto), and then it could not be: {}", file->path, why);
  } else {
    log_error("{}: an open file was lost with the connection: {}", file->path, why);
  }
  file->lost = Error::system(ESTALE, file->path + ": " + why);
  file->stale.store(true, std::memory_order_release);
}

// Fails only with kConnectionLost. A file that cannot be opened again is lost, which is no failure.
runtime::Task<Status> FileIo::reopen(OpenFileRef file, ClientRef client) {
  // A rename of ours whose answer is still to come may have moved the name, or given it to another
  // file. Those that come later wait for us (Filesystem::keep_open).
  co_await shared_.names_in_flux.settled();
  const std::vector<std::string> names = shared_.inodes.paths(*inode_);
  const AttrToken token = shared_.token(Ordering::kIndependent);
  Result<Reopened> opened = fail(Error::sftp(sftp::kFxNoSuchFile));
  for (const std::string& name : names) {
    Result<Reopened> tried = co_await open_again(file, name, client);
    opened = std::move(tried);
    if (opened || !opened.error().is_sftp(sftp::kFxNoSuchFile)) break;
  }
  if (!opened) {
    if (was_lost(opened)) co_return fail(opened.error());
    const bool missing = opened.error().is_sftp(sftp::kFxNoSuchFile);
    bool moved = false;
    if (missing) {
      // By a rename of ours that is still under way?
      const bool waited = co_await shared_.names_in_flux.settled();
      moved = waited || shared_.inodes.paths(*inode_) != names;
    }
    if (moved) {
      co_return co_await reopen(file, client);
    }
    lose(file, missing ? "it was removed while it was open"
                       : "it cannot be opened again: " + opened.error().describe());
    co_return Status();
  }
  const Result<sftp::Attrs> now = co_await client->fstat(opened->handle);
  if (was_lost(now)) co_return fail(now.error());
  // What was never open may be any file that has the name.
  Result<bool> same = now.has_value() && file->client == nullptr;
  if (now && !*same) {
    Result<bool> compared = co_await same_file(*opened, *now, client);
    same = std::move(compared);
  }
  if (!same) co_return fail(same.error());
  if (!*same) {
    client->close(opened->handle).forget();
    lose(file, "another file has taken its name");
    co_return Status();
  }
  inode_->adopt(*now, token, shared_.lifetime(*now));
  file->handle = opened->handle;
  file->client = client;
  co_return Status();
}

// Readable where that is permitted, so that what it holds can be compared.
runtime::Task<Result<FileIo::Reopened>> FileIo::open_again(OpenFileRef file, std::string path,
                                                           ClientRef client) {
  const std::uint32_t readable = file->reopen_flags | sftp::kOpenRead;
  while (true) {
    sftp::Call<sftp::Handle> open = client->open(path, readable, sftp::Attrs());
    // A link that took the name would be followed.
    sftp::Call<sftp::Attrs> look = client->lstat(path);
    Reopened opened;
    Result<sftp::Handle> handle = co_await open;
    const Result<sftp::Attrs> named = co_await look;
    if (was_lost(named)) co_return fail(named.error());
    if (!handle && handle.error().is_sftp(sftp::kFxNoSuchFile)) {
      // Perhaps one of our own renames, of a directory above, has moved it.
      const bool waited = co_await shared_.names_in_flux.settled();
      if (waited) continue;
    }
    const bool regular = named && S_ISREG(named->permissions);
    if (handle && named && !regular) {
      client->close(*handle).forget();
      co_return fail(ErrorCode::kInvalid, "something else has taken its name");
    }
    const bool was_open = file->client != nullptr || file->made_here;
    const bool denied =
        was_open && !handle && handle.error().is_sftp(sftp::kFxPermissionDenied) && regular;
    if (denied) {
      Result<sftp::Handle> forced =
          co_await open_despite_mode(path, readable, named->permissions, client);
      handle = std::move(forced);
    }
    // It is not ours to change, but may be written.
    if (was_refused(handle) && denied && readable != file->reopen_flags) {
      opened.readable = false;
      const sftp::Attrs unset;
      Result<sftp::Handle> plain = co_await client->open(path, file->reopen_flags, unset);
      handle = std::move(plain);
    }
    if (!handle) co_return fail(handle.error());
    opened.handle = std::move(*handle);
    co_return Result<Reopened>(std::move(opened));
  }
}

// A file may be open for writing although its mode forbids it: that of a file just made, or after
// a chmod. For its owner the mode is put aside until the file is open.
runtime::Task<Result<sftp::Handle>> FileIo::open_despite_mode(std::string path, std::uint32_t flags,
                                                              std::uint32_t mode,
                                                              ClientRef client) {
  if (!mode_aside_) mode_aside_.emplace(shared_from_this(), mode & kPermissionBits);
  sftp::Call<void> permit = client->setstat(path, with_permissions(mode | kOwnerMayReadAndWrite));
  sftp::Call<sftp::Handle> open = client->open(path, flags, sftp::Attrs());
  const Status permitted = co_await permit;
  if (was_refused(permitted)) mode_aside_.reset();
  co_return co_await open;
}

}  // namespace sftpfs::fs
