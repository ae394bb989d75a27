// See directory_stream.h.
#include "fs/directory_stream.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "fs/ask.h"

namespace sftpfs::fs {
namespace {

// READDIRs in flight: OpenSSH answers about 100 names each.
constexpr std::size_t kWindowFirst = 2;
constexpr std::size_t kWindowMax = 32;
// Entries copied to the asking worker at once: about one kernel buffer full.
constexpr std::size_t kBatchEntries = 128;

}  // namespace

DirectoryStream::DirectoryStream(Shared& shared, SessionSlot& slot, InodeRef inode)
    : shared_(shared),
      slot_(slot),
      inode_(std::move(inode)),
      begun_(shared.token(Ordering::kIndependent)) {}

// What belongs to the home loop dies there: answers not yet come, and a client that was lost
// meanwhile and may be ours alone.
DirectoryStream::~DirectoryStream() {
  if (!client_) return;
  if (&home() == runtime::Loop::current()) {
    close();
    return;
  }
  home().post([client = std::move(client_), handle = std::move(handle_),
               window = std::move(window_)]() mutable {
    window.clear();
    if (!handle.empty()) client->close(handle).forget();
  });
}

void DirectoryStream::show(WholeListing listing) {
  token_ = begun_ = listing.token;
  asked_.push_back(Asked{0, token_});
  entries_ = std::move(listing.entries);
  complete_ = true;
}

runtime::Task<Status> DirectoryStream::open(runtime::Cancel* cancel) {
  Result<runtime::AsyncMutex::Lock> lock = co_await reading_.lock(cancel);
  if (!lock) co_return fail(lock.error());
  const bool opened = complete_ || !entries_.empty() || !handle_.empty();
  if (opened) co_return Status();
  co_return co_await open_locked(cancel);
}

runtime::Task<Status> DirectoryStream::read_ahead(std::size_t names_max) {
  Result<runtime::AsyncMutex::Lock> lock = co_await reading_.lock(nullptr);
  if (!lock) co_return fail(lock.error());
  co_return co_await load_until(names_max, nullptr);
}

runtime::Task<Status> DirectoryStream::open_locked(runtime::Cancel* cancel) {
  while (true) {
    Result<ClientRef> client = co_await slot_.session().ready(cancel);
    if (!client) co_return fail(client.error());
    client_ = std::move(*client);
    const Result<std::string> path = shared_.inodes.path(*inode_);
    if (!path) co_return fail(path.error());
    Result<sftp::Handle> handle = co_await client_->opendir(*path).until(cancel);
    if (was_lost(handle)) continue;
    if (!handle) co_return fail(handle.error());
    handle_ = std::move(*handle);
    window_size_ = kWindowFirst;
    co_return Status();
  }
}

void DirectoryStream::close() {
  window_.clear();
  ending_ = false;
  if (!handle_.empty() && client_) client_->close(handle_).forget();
  handle_.clear();
}

void DirectoryStream::restart() {
  close();
  entries_.clear();
  entries_.shrink_to_fit();
  asked_.clear();
  entries_bytes_ = 0;
  seen_.clear();
  complete_ = false;
  delivered_ = false;
  begun_ = shared_.token(Ordering::kIndependent);
}

runtime::Task<Result<DirectoryBatch>> DirectoryStream::batch(std::size_t first, bool rewind,
                                                             runtime::Cancel* cancel) {
  Result<runtime::AsyncMutex::Lock> lock = co_await reading_.lock(cancel);
  if (!lock) co_return fail(lock.error());
  // A rewind of a stream that has been read shows the directory as it is now.
  if (rewind && delivered_) restart();
  DirectoryBatch batch;
  const Status loaded = co_await load_until(first + 1, cancel);
  if (!loaded) co_return fail(loaded.error());
  delivered_ = true;
  batch.token = token_of(first);
  const std::size_t last = std::min(first + kBatchEntries, entries_.size());
  for (std::size_t i = first; i < last; ++i) batch.entries.push_back(entries_[i]);
  batch.end = complete_ && last == entries_.size();
  co_return Result<DirectoryBatch>(std::move(batch));
}

runtime::Task<Status> DirectoryStream::load_until(std::size_t count, runtime::Cancel* cancel) {
  while (!complete_ && entries_.size() < count) {
    if (handle_.empty()) {
      const Status opened = co_await open_locked(cancel);
      if (!opened) co_return opened;
    }
    if (window_.empty()) token_ = shared_.token(Ordering::kIndependent);
    // What is here already may be the end: then nothing more is to be asked for and waited for.
    const bool here = !window_.empty() && window_.front().done();
    while (!here && !ending_ && window_.size() < window_size_) {
      window_.push_back(client_->readdir(handle_));
    }
    Result<std::vector<sftp::DirEntry>> names = co_await window_.front().until(cancel);
    window_.pop_front();
    if (was_lost(names)) {
      read_on();
      continue;
    }
    if (!names) {
      restart();
      co_return fail(names.error());
    }
    if (names->empty()) {
      // Those asked for before may have been answered out of turn: a list in which every name was
      // filtered out is asked for again behind them.
      ending_ = true;
    }
    window_size_ = std::min(2 * window_size_, kWindowMax);
    const Status taken = take(std::move(*names));
    if (!taken) {
      restart();
      co_return taken;
    }
    complete_ = ending_ && window_.empty();
    if (complete_) {
      close();
      const sftp::Attrs directory = inode_->view(shared_.clock.now()).attrs;
      // What is promised and not there yet is not among them.
      const bool whole = shared_.journal.pending() == 0;
      if (whole)
        shared_.listings.put(*inode_, entries_, begun_, shared_.lifetime(directory),
                             shared_.live().absent_lifetime, origin_);
    }
  }
  co_return Status();
}

// The connection was lost: the server begins anew, and what the stream has already is left out.
void DirectoryStream::read_on() {
  close();
  for (const sftp::DirEntry& entry : entries_) seen_.insert(entry.name);
}

const AttrToken& DirectoryStream::token_of(std::size_t position) const {
  const auto later = std::find_if(asked_.begin(), asked_.end(),
                                  [position](const Asked& each) { return each.first > position; });
  return later == asked_.begin() ? token_ : std::prev(later)->token;
}

Status DirectoryStream::take(std::vector<sftp::DirEntry> names) {
  if (asked_.empty() || asked_.back().token.tick != token_.tick) {
    asked_.push_back(Asked{entries_.size(), token_});
  }
  for (sftp::DirEntry& entry : names) {
    if (!seen_.empty() && seen_.contains(entry.name)) continue;
    // Listings describe links themselves: what is shown in their place has to be asked for.
    const bool link = entry.attrs.has(sftp::kAttrPermissions) && S_ISLNK(entry.attrs.permissions);
    if (link && shared_.options.follow_links) entry.attrs = sftp::Attrs{};
    entries_bytes_ += sizeof(entry) + entry.name.size();
    entries_.push_back(std::move(entry));
  }
  if (entries_bytes_ <= shared_.options.open_directory_bytes_max) return {};
  const Result<std::string> path = shared_.inodes.path(*inode_);
  log_error("{}: the listing has not ended after {} names; is the server all right?",
            path ? *path : "a removed directory", entries_.size());
  return fail(Error::system(EOVERFLOW));
}

}  // namespace sftpfs::fs
