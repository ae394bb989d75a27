// FileIo: reading and writing of one open inode, on its home session.
//
// All I/O of one inode goes through one session, whose server works in order: a READ queued
// behind a WRITE sees its data, an FSTAT its size. That is why nothing here waits before it reads.
//
// Ownership: shared by the inode (while it is open), its OpenFiles and the operations under way.
// Threads:   try_cached() and the constant members from any; everything else on home().
// Limits:    unacknowledged bytes are bounded by the worker's dirty_bytes(); cache slots by the
//            cache, around which a read goes when it answers Busy.
//
// Life of written bytes: accepted (copied, write(2) returns) -> gathering (small neighbours are
// put together while something else is in flight) -> in flight -> acknowledged or failed. A failure
// is latched in the OpenFile. Copies live until the acknowledgement.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "fs/open_file.h"
#include "fs/shared.h"
#include "fs/types.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sftpfs::fs {

class FileIo : public std::enable_shared_from_this<FileIo> {
 public:
  FileIo(Shared& shared, SessionSlot& slot, InodeRef inode);
  FileIo(const FileIo&) = delete;
  FileIo& operator=(const FileIo&) = delete;

  runtime::Loop& home() const { return slot_.loop(); }
  SessionSlot& slot() const { return slot_; }
  const InodeRef& inode() const { return inode_; }

  // Reading -------------------------------------------------------------------------------------
  // Answers from the cache if every byte is there; false: ask read().
  static bool try_cached(Shared& shared, const Inode& inode, std::uint64_t offset,
                         std::size_t size_bytes, ReadReply& reply);
  // At most `size_bytes` from `offset`; fewer only at the end of the file.
  runtime::Task<Result<ReadReply>> read(OpenFileRef file, std::uint64_t offset,
                                        std::size_t size_bytes, Readahead::Plan plan,
                                        runtime::Cancel* cancel);
  // Starts loading the blocks that a plan asks for; never waits.
  void fetch_ahead(const OpenFileRef& file, Readahead::Plan plan);
  // How far to read ahead at most; follows the link's bandwidth-delay product. Any thread.
  std::size_t readahead_window_max() const {
    return readahead_window_max_.load(std::memory_order_relaxed);
  }

  // Writing -------------------------------------------------------------------------------------
  // Accepts `data`; waits only for room among the unacknowledged bytes.
  runtime::Task<Status> write(OpenFileRef file, std::uint64_t offset, SharedBytes data,
                              runtime::Cancel* cancel);
  // Queues what is being gathered, so that a request queued next comes behind it.
  void send_gathered();
  // Waits until every byte accepted so far is acknowledged or has failed.
  runtime::Task<Status> drain(runtime::Cancel* cancel);
  // drain(), with the new attributes in the same round trip, and fsync where wanted; reports the
  // latched error of `file`.
  runtime::Task<Status> flush(OpenFileRef file, bool sync_to_disk, runtime::Cancel* cancel);
  bool clean() const { return in_flight_.empty() && !gathering_; }
  // Where a request belongs that must not overtake our writes.
  sftp::Queue queue() const { return clean() ? sftp::Queue::kMetadata : sftp::Queue::kBulk; }

 private:
  struct Gathering {
    OpenFileRef file;
    std::uint64_t offset = 0;
    std::shared_ptr<std::byte[]> buffer;
    std::size_t size_bytes = 0;
    std::size_t pieces = 0;  // how many accepted writes it holds
  };

  // Reading
  runtime::Task<Result<cache::Pin>> block(OpenFileRef file, cache::BlockKey key,
                                          runtime::Cancel* cancel);
  runtime::Task<Status> read_around(OpenFileRef file, std::uint64_t offset, std::size_t size_bytes,
                                    ReadReply& reply, runtime::Cancel* cancel);
  runtime::Task<Status> read_block_piece(OpenFileRef file, std::uint64_t offset,
                                         std::size_t size_bytes, std::uint64_t generation,
                                         ReadReply& reply, runtime::Cancel* cancel);
  void load_range(const OpenFileRef& file, std::uint64_t from, std::uint64_t to,
                  cache::Access access);
  void start_load(const OpenFileRef& file, const cache::BlockKey& key, cache::Load load);
  static runtime::Task<void> fill(std::shared_ptr<FileIo> self, OpenFileRef file,
                                  cache::BlockKey key, cache::Load load);
  // Adapts windows to what the client has measured.
  void follow_link(sftp::Client& client);
  // Where the file is believed to end; the end of a short answer there needs no second request.
  std::uint64_t known_size() const;

  // Writing
  void accept(const OpenFileRef& file, std::uint64_t offset, SharedBytes data);
  bool gather(const OpenFileRef& file, std::uint64_t offset, const SharedBytes& data);
  void send(OpenFileRef file, std::uint64_t offset, SharedBytes data, std::size_t pieces);
  static runtime::Task<void> write_out(std::shared_ptr<FileIo> self, OpenFileRef file,
                                       std::uint64_t offset, SharedBytes data, std::size_t pieces,
                                       std::uint64_t number);
  runtime::Task<Error> failed(Error error, std::uint64_t offset, std::size_t size_bytes);
  void doom_blocks(std::uint64_t from, std::uint64_t to, std::uint64_t old_size);
  std::size_t gather_bytes_max(const OpenFile& file) const;

  Shared& shared_;
  SessionSlot& slot_;
  const InodeRef inode_;
  std::atomic<std::size_t> readahead_window_max_;
  std::size_t receive_window_bytes_ = 0;  // as last asked for

  std::optional<Gathering> gathering_;
  // Extents are numbered as they are sent. They need not end in that order: one that has failed
  // is looked into first.
  std::uint64_t sent_ = 0;
  std::set<std::uint64_t> in_flight_;
  runtime::WaitList progress_;
};

}  // namespace sftpfs::fs
