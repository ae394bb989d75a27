// FileIo: what the content of a reopened file tells. See file_io.h.
//
// SFTP v3 shows neither inode numbers nor generations. A file is taken for the same if its size
// and modification time are those we knew; where they differ, because we were writing or because
// somebody appended to it, if it still holds the bytes that we know it held.
#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "fs/append_replay.h"
#include "fs/ask.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

// What the file holds there; fewer bytes at its end.
runtime::Task<Result<std::vector<std::byte>>> read_back(ClientRef client, sftp::Handle handle,
                                                        std::uint64_t offset,
                                                        std::size_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  const Result<std::size_t> size =
      co_await client->read(handle, offset, bytes, offset + size_bytes, sftp::Queue::kMetadata);
  if (!size) co_return fail(size.error());
  bytes.resize(*size);
  co_return Result<std::vector<std::byte>>(std::move(bytes));
}

// Puts the bytes of `extent` where it has them into `region`, which begins at `from`.
void overlay(const Extent& extent, std::uint64_t from, std::vector<std::byte>& region) {
  const std::uint64_t begin = std::max(extent.offset, from);
  const std::uint64_t end = std::min<std::uint64_t>(extent.end(), from + region.size());
  if (begin >= end) return;
  std::memcpy(region.data() + (begin - from), extent.data.data() + (begin - extent.offset),
              end - begin);
}

}  // namespace

// --- The same file? -----------------------------------------------------------------------------

void FileIo::remember(std::uint64_t offset, ByteSpan bytes) {
  constexpr std::size_t kSampleBytes = 256;
  if (bytes.empty() || resizing_ > 0) return;
  const ByteSpan part = bytes.first(std::min(bytes.size(), kSampleBytes));
  if (!sample_) sample_.emplace();
  sample_->offset = offset;
  sample_->generation = inode_->generation();
  sample_->bytes.assign(part.begin(), part.end());
}

// Fails only with kConnectionLost.
runtime::Task<Result<bool>> FileIo::same_file(Reopened opened, sftp::Attrs now, ClientRef client) {
  // A change of ours that may have been carried out explains every size.
  if (resizing_ > 0) co_return true;
  const AttrView view = inode_->view(shared_.clock.now());
  const bool ours = view.locally_modified || view.changing || !clean();
  const bool unchanged = now.size == view.attrs.size && now.mtime == view.attrs.mtime;
  if (view.known && !ours && unchanged) co_return true;
  const std::optional<ContentSample> sample = sample_;
  if (opened.readable && sample && sample->generation == view.generation) {
    const Result<std::vector<std::byte>> there =
        co_await read_back(client, opened.handle, sample->offset, sample->bytes.size());
    if (there) co_return *there == sample->bytes;
    if (was_lost(there)) co_return fail(there.error());
    // It cannot be read; its attributes must do.
  }
  // Nothing of its content was seen, or all that was has been overwritten since: only a file that
  // our own changes explain, or that was empty, is the same.
  co_return !view.known || (ours && now.size <= view.attrs.size) || view.attrs.size == 0;
}

// --- Appended bytes -----------------------------------------------------------------------------

std::vector<ExtentRef> FileIo::appended_extents() const {
  std::vector<ExtentRef> appended;
  for (const ExtentRef& extent : unacknowledged_.all()) {
    // What was never sent cannot be there, even if somebody else has appended the same.
    const bool waits = extent->sent && !extent->settled && !extent->refused && !extent->file->lost;
    if (waits && extent->appends()) appended.push_back(extent);
  }
  return appended;
}

// Takes away from the unacknowledged bytes what has been appended already. Fails only with
// kConnectionLost.
runtime::Task<Status> FileIo::trim_appended(ClientRef client) {
  const std::vector<ExtentRef> appended = appended_extents();
  if (appended.empty()) co_return Status();
  const OpenFileRef file = appended.front()->file;
  const std::uint64_t from = appended.front()->offset;
  const Result<sftp::Attrs> now = co_await client->fstat(file->handle);
  if (was_lost(now)) co_return fail(now.error());
  if (now && now->size <= from) co_return Status();
  // Others may have appended as well; farther than this nobody looks.
  constexpr std::uint64_t kTailBytesMax = 64 << 20;
  const std::uint64_t tail_bytes = now ? std::min(now->size - from, kTailBytesMax) : 0;
  Result<std::vector<std::byte>> tail =
      co_await read_back(client, file->handle, from, static_cast<std::size_t>(tail_bytes));
  if (was_lost(tail)) co_return fail(tail.error());
  if (!tail) {
    log_warning(
        "{}: whether {} appended extents are in the file cannot be seen ({}); they are"
        " appended again",
        file->path, appended.size(), tail.error().describe());
    co_return Status();
  }
  take_away(appended, from, std::move(*tail));
  co_return Status();
}

void FileIo::take_away(const std::vector<ExtentRef>& appended, std::uint64_t from,
                       std::vector<std::byte> tail) {
  // What was written over them since may be there or not; it makes no difference.
  std::vector<std::vector<std::byte>> wanted;
  for (const ExtentRef& extent : appended) {
    const ByteSpan bytes = extent->data.span();
    wanted.emplace_back(bytes.begin(), bytes.end());
  }
  for (const ExtentRef& later : unacknowledged_.all()) {
    if (later->number < appended.front()->number || later->appends()) continue;
    overlay(*later, from, tail);
    for (std::size_t i = 0; i < appended.size(); ++i) {
      if (appended[i]->number < later->number) overlay(*later, appended[i]->offset, wanted[i]);
    }
  }
  std::vector<Appended> parts;
  for (std::size_t i = 0; i < appended.size(); ++i) {
    parts.emplace_back(appended[i]->offset, ByteSpan(wanted[i]));
  }
  const std::vector<std::size_t> present = bytes_already_appended(tail, from, parts);
  for (std::size_t i = 0; i < appended.size(); ++i) {
    Extent& extent = *appended[i];
    const std::size_t rest = extent.data.size() - present[i];
    extent.data = extent.data.subspan(present[i], rest);
    extent.offset += present[i];
    if (rest == 0) settle(extent);
  }
}

}  // namespace sftpfs::fs
