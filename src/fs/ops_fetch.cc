// Filesystem: a small file that is fetched before it is asked for (file_prefetch.h).
//
// Nobody waits for it. So it gives up where an open of an application would wait or try again: it
// belongs to the connection that it was begun on, has no part in recovery, and a refusal is looked
// into no further. Whoever waits for the block that it was loading reads it himself then.
#include <algorithm>
#include <variant>

#include "fs/ask.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "fs/open_flags.h"

namespace sftpfs::fs {
namespace {

using Ending = FilePrefetch::Ending;

// Into the block cache. What is written meanwhile dooms the block.
runtime::Task<void> load_block(Shared& shared, InodeRef inode, ClientRef client,
                               sftp::Handle handle) {
  const AttrView view = inode->view(shared.clock.now());
  cache::Lookup lookup = shared.cache.get(cache::BlockKey{inode->id(), view.generation, 0}, nullptr,
                                          cache::Access::kReadahead);
  auto* const load = std::get_if<cache::Load>(&lookup);
  if (load == nullptr) co_return;
  const MutableByteSpan buffer = load->buffer();
  sftp::Call<std::size_t> call =
      client->read(handle, 0, buffer, view.attrs.size, sftp::Queue::kMetadata);
  const Result<std::size_t> size = co_await call;
  // Else it is given back as Busy.
  if (size) load->commit(*size).release();
}

runtime::Task<Ending> open_and_read(Shared& shared, std::shared_ptr<FileIo> io) {
  const InodeRef inode = io->inode();
  const ClientRef client = io->slot().session().current();
  const Result<std::string> path = shared.inodes.path(*inode);
  const bool idle = io->clean() && io->attrs_settled();
  if (!idle || !path || !client || !client->alive()) co_return Ending::kGivenUp;
  const Lease lease(io->slot());
  sftp::Call<sftp::Handle> open = client->open(*path, sftp::kOpenRead, sftp::Attrs());
  const AttrToken token = shared.token(Ordering::kIndependent);
  sftp::Call<sftp::Attrs> look = client->lstat(*path);
  const Result<sftp::Handle> handle = co_await open;
  const Result<sftp::Attrs> attrs = co_await look;
  if (was_lost(handle) || was_lost(attrs)) co_return Ending::kGivenUp;
  if (!handle) {
    if (handle.error().is_sftp(sftp::kFxNoSuchFile)) {
      inode->expire();
      shared.doubt_names(*inode);
    }
    co_return Ending::kRefused;
  }
  const bool file = attrs && is_of_type(*attrs, inode->type());
  if (file) {
    inode->adopt(*attrs, token, shared.lifetime(*attrs));
    inode->settle_content(shared.clock.wall_now(), !io->clean(), shared.live().kernel_cache);
    inode->read_permitted(*attrs);
  }
  if (file && io->clean()) {
    co_await load_block(shared, inode, client, *handle);
  }
  client->close(*handle).forget();
  co_return file ? Ending::kRead : Ending::kRefused;
}

}  // namespace

void Filesystem::begin_fetch(const FilePrefetch::Held& held) {
  std::shared_ptr<FileIo> io = acquire_io(held->inode(), nullptr);
  io->home().post([this, held, io] { runtime::spawn(fetch_file(held, io)); });
}

// The file stays at home in its session meanwhile, so that who opens it reads behind this.
runtime::Task<void> Filesystem::fetch_file(FilePrefetch::Held held, std::shared_ptr<FileIo> io) {
  const Ending ending = co_await open_and_read(shared_, io);
  files_ahead_.ended(*held->inode(), ending);
  io.reset();
  held->inode()->release_io();
}

}  // namespace sftpfs::fs
