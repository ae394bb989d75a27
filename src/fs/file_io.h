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
// put together while something else is in flight) -> an extent of the queue (extent_queue.h) until
// it is acknowledged or has failed. A failure is latched in the OpenFile.
//
// A lost connection (file_recovery.cc):
//
//            a request was lost, or the session has another connection
//    live ------------------------------------------------------------> recovering
//     ^                                                                  |  ^  | lost again
//     |   every descriptor has a new handle, or is lost for good;        |  +--+
//     |   then what is not acknowledged is queued again, in order        |
//     +------------------------------------------------------------------+
//   A descriptor that was opened without asking has its handle made by recovery, too: until
//   something is wanted that is not cached, it has none.
//                                                     the session closed | for good
//                                                                        v
//                                                                      ended
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "fs/ask.h"
#include "fs/extent_queue.h"
#include "fs/lane.h"
#include "fs/open_file.h"
#include "fs/shared.h"
#include "fs/types.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sftp/client.h"

namespace sftpfs::fs {

// Bytes that the file is known to hold: by these it is recognised after a lost connection.
struct ContentSample {
  std::uint64_t offset = 0;
  std::uint64_t generation = 0;
  std::vector<std::byte> bytes;
};

class FileIo;

// Keeps an inode at home in its session, and its names, also when nobody has it open any more.
class IoShare {
 public:
  explicit IoShare(const std::shared_ptr<FileIo>& io);
  IoShare(const IoShare&) = delete;
  IoShare& operator=(const IoShare&) = delete;
  ~IoShare();
  const InodeRef& inode() const { return hold_.inode(); }

 private:
  const InodeHold hold_;
};

class FileIo final : public SessionUser, public std::enable_shared_from_this<FileIo> {
 public:
  FileIo(Shared& shared, SessionSlot& slot, InodeRef inode);
  FileIo(const FileIo&) = delete;
  FileIo& operator=(const FileIo&) = delete;
  ~FileIo();

  runtime::Loop& home() const { return slot_.loop(); }
  SessionSlot& slot() const { return slot_; }
  const InodeRef& inode() const { return inode_; }
  Shared& shared() const { return shared_; }

  // The connection ------------------------------------------------------------------------------
  // Waits until requests can be sent over the home session alone, behind all writes, and, for a
  // `file` (may be null), its handle is valid. Until the next suspension client() and file->handle
  // may then be used. ESTALE: the file can never be used again.
  runtime::Task<Status> live(OpenFileRef file, runtime::Cancel* cancel);
  bool is_live() const {
    return !recovering_ && !ended_ && !unopened_ && client_ && client_->alive();
  }
  bool is_unborn() const { return unborn_; }
  const ClientRef& client() const { return client_; }
  // Makes a descriptor, opened just now, one of those that are recovered.
  void attach(const OpenFileRef& file);
  // The same for one that was opened without asking: it gets its handle, as after a lost
  // connection, before anything is sent.
  void attach_unopened(const OpenFileRef& file);
  // The same for one of a file that is still to be made (journal.h): everything waits until born().
  void attach_unborn(const OpenFileRef& file);
  // The file has been made, with this handle; without one if the connection that had it is lost.
  void born(const OpenFileRef& file, ClientRef client, sftp::Handle handle);
  void not_born(const OpenFileRef& file, const std::string& why);
  // A request that was sent on client() was lost. Recovery begins at once.
  void connection_lost();
  // Sends a request about `file` until it is answered; it must be one that may be repeated.
  // `send` is given the client, the handle and the queue that keeps it behind accepted writes.
  template <class T, class Send>
  runtime::Task<Result<T>> ask_file(OpenFileRef file, runtime::Cancel* cancel, Send send);
  void session_ready() override;
  // The size is being changed otherwise than by a write; nothing can be told from it until the
  // answer has come, and writes wait. A null `io` is left alone.
  class Resizing {
   public:
    explicit Resizing(std::shared_ptr<FileIo> io);
    Resizing(const Resizing&) = delete;
    Resizing& operator=(const Resizing&) = delete;
    ~Resizing();

   private:
    std::shared_ptr<FileIo> io_;
  };

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

  // Attributes ----------------------------------------------------------------------------------
  // A file that we have made and are writing is ours: changes of its mode and times, which cannot
  // fail then, are not waited for. They are put together and sent when the file is closed or
  // synced, when something else has to come behind them, or after a while; one request at a time,
  // so that they stay in order also over a lost connection. A failure is latched in the descriptor.
  using ApplyAttrs =
      std::function<runtime::Task<Status>(std::shared_ptr<FileIo>, SetAttr, OpenFileRef)>;
  // The descriptor that has made the file, until it is closed; else null.
  OpenFileRef maker() const;
  void defer_attrs(const SetAttr& change, const OpenFileRef& file, ApplyAttrs apply);
  bool attrs_deferred() const { return deferred_ != nullptr; }
  bool attrs_settled() const { return !deferred_ && setting_.inside() == 0; }
  // Whether a write must wait so that it comes behind a change of attributes. Where it is all sent
  // later anyhow, a change of the mode alone need not be on the server before.
  bool write_must_wait() const;
  // Sets the times that everybody was told of what was written, and learns what the server shows.
  runtime::Task<Status> pin_times(OpenFileRef file);
  // While it lives, an attribute is being changed: other changes and writes wait. A null `io` is
  // left alone.
  class Setting {
   public:
    Setting(std::shared_ptr<FileIo> io, bool times) : io_(std::move(io)), times_(times) {
      if (!io_) return;
      io_->setting_.enter();
      if (times_) ++io_->setting_times_;
    }
    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;
    ~Setting() {
      if (!io_) return;
      if (times_) --io_->setting_times_;
      io_->setting_.leave();
    }

   private:
    std::shared_ptr<FileIo> io_;
    const bool times_;
  };
  // Sends what is deferred, and waits until it is answered.
  runtime::Task<Status> settle_attrs(runtime::Cancel* cancel);

  // Writing -------------------------------------------------------------------------------------
  // Accepts `data`; waits only for room among the unacknowledged bytes.
  runtime::Task<Status> write(OpenFileRef file, std::uint64_t offset, SharedBytes data,
                              runtime::Cancel* cancel);
  // Queues the bytes that are being gathered, so that a request queued next comes behind them.
  void send_gathered();
  // Waits until every byte accepted so far is acknowledged or has failed.
  runtime::Task<Status> drain(runtime::Cancel* cancel);
  // drain(), with the new attributes in the same round trip, and fsync where wanted; reports the
  // latched error of `file`.
  runtime::Task<Status> flush(OpenFileRef file, bool sync_to_disk, runtime::Cancel* cancel);
  // What close(2) does where content waits for fsync(2): it tells what is known to have failed.
  runtime::Task<Status> flush_ahead(OpenFileRef file);
  // Waits until every byte accepted so far is acknowledged, or must be sent once more.
  runtime::Task<void> acknowledged_or_lost();
  bool clean() const { return unacknowledged_.empty() && !gathering_; }

  // What is written to a new file, from its beginning on, is kept while it is small ...
  void keep_content();
  // ... and is then cached, so that who reads it at once need not ask for it.
  void cache_content();
  // Where a request belongs that must not overtake our writes.
  sftp::Queue queue() const { return clean() ? sftp::Queue::kMetadata : sftp::Queue::kBulk; }

 private:
  struct Gathering {
    OpenFileRef file;
    std::uint64_t offset = 0;
    std::shared_ptr<std::byte[]> buffer;
    std::size_t capacity_bytes = 0;  // a server's limits may be others after a reconnection
    std::size_t size_bytes = 0;
    std::size_t pieces = 0;  // how many accepted writes it holds
  };

  struct DeferredAttrs {
    DeferredAttrs(const std::shared_ptr<FileIo>& io, const OpenFileRef& by, ApplyAttrs how)
        : file(by),
          apply(std::move(how)),
          scope(io->inode(), Change::kContent),
          timer(io->home()) {}
    SetAttr change;
    OpenFileWeak file;  // which owns the FileIo
    ApplyAttrs apply;
    ChangeScope scope;
    runtime::Timer timer;
  };

  // Attributes
  // Unless a change is under way; then it follows.
  void send_deferred();
  static runtime::Task<void> apply_attrs(std::shared_ptr<FileIo> self,
                                         std::unique_ptr<DeferredAttrs> attrs);

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
  runtime::Task<Result<std::size_t>> read_range(OpenFileRef file, std::uint64_t offset,
                                                MutableByteSpan into, runtime::Cancel* cancel);
  // Adapts windows to what the client has measured.
  void follow_link(sftp::Client& client);
  // Where the file is believed to end; the end of a short answer there needs no second request.
  std::uint64_t known_size() const;

  // Writing
  Status usable_for_writing(OpenFile& file);
  // Reports the latched error, once for all that was accepted until now.
  Status take_error(OpenFile& file);
  static void latch(const Extent& extent, const Error& error);
  bool overlaps_unacknowledged(std::uint64_t from, std::uint64_t to) const;
  void accept(const OpenFileRef& file, std::uint64_t offset, SharedBytes data);
  bool gather(const OpenFileRef& file, std::uint64_t offset, const SharedBytes& data);
  void send(OpenFileRef file, std::uint64_t offset, SharedBytes data, std::size_t pieces);
  void start_transmit(const ExtentRef& extent);
  static runtime::Task<void> transmit(std::shared_ptr<FileIo> self, ExtentRef extent, LaneRef lane);
  // Latches the error; looks into it first where the server has said little.
  runtime::Task<void> refuse(ExtentRef extent, Error error);
  void settle(Extent& extent);
  // Whether the connection was there until the server had answered.
  runtime::Task<Result<bool>> flush_once(OpenFileRef file, bool sync_to_disk, bool wrote,
                                         runtime::Cancel* cancel);
  void doom_blocks(std::uint64_t from, std::uint64_t to, std::uint64_t old_size);
  // Where a write at `offset` ends at the latest; appended bytes have no place yet.
  std::uint64_t stripe_end(const OpenFile& file, std::uint64_t offset) const;
  std::size_t gather_bytes_max(const OpenFile& file) const;

  // Striping (file_stripes.cc)
  // A stream of reads or writes has come so much farther.
  void stream_moves(const OpenFileRef& file, std::size_t bytes, bool writing);
  bool far_enough(const OpenFile& file) const;
  bool may_stripe(const OpenFile& file, bool writing) const;
  bool lanes_are_full() const;
  std::uint64_t answered_bytes() const;  // of the stream, about
  void make_ways(const OpenFile& file, bool writing);
  std::vector<Way> ways_without_lane() const;
  static runtime::Task<void> open_lanes(std::shared_ptr<FileIo> self, OpenFileWeak file);
  runtime::Task<std::vector<LaneRef>> open_handles(std::vector<Way> ways, OpenFileWeak file,
                                                   bool writing);
  std::optional<sftp::Call<sftp::Attrs>> ask_home(const OpenFileRef& file) const;
  runtime::Task<bool> lanes_are_the_file(OpenFileWeak file, std::vector<LaneRef> lanes);
  void drop_dead_lanes();
  LaneRef lane_at(std::uint64_t offset, std::size_t lanes) const;
  LaneRef write_lane(const OpenFile& file, std::uint64_t offset) const;
  LaneRef read_lane(const OpenFileRef& file, std::uint64_t offset) const;
  void turn(bool to_lanes);
  void write_answered();
  void lane_lost();
  static runtime::Task<void> finish_turn(std::shared_ptr<FileIo> self);
  bool holds_foreign() const;
  void go_on();
  void send_held();

  // Recovery
  struct Reopened {
    Reopened() = default;
    sftp::Handle handle;
    bool readable = true;
  };
  void start_recovery();
  static runtime::Task<void> recover(std::shared_ptr<FileIo> self);
  // kConnectionLost: once more, with the next connection.
  runtime::Task<Status> reopen_all(ClientRef client);
  runtime::Task<Status> reopen(OpenFileRef file, ClientRef client);
  runtime::Task<Status> restore_mode(ClientRef client);
  runtime::Task<Result<Reopened>> open_again(OpenFileRef file, std::string path, ClientRef client);
  runtime::Task<Result<sftp::Handle>> open_despite_mode(std::string path, std::uint32_t flags,
                                                        std::uint32_t mode, ClientRef client);
  runtime::Task<Result<bool>> same_file(Reopened opened, sftp::Attrs now, ClientRef client);
  runtime::Task<Status> trim_appended(ClientRef client);
  std::vector<ExtentRef> appended_extents() const;
  void take_away(const std::vector<ExtentRef>& appended, std::uint64_t from,
                 std::vector<std::byte> tail);
  OpenFileRef next_to_reopen(const ClientRef& client);
  void lose(const OpenFileRef& file, const std::string& why);
  bool is_abandoned(const OpenFile& file) const;
  void send_again();
  void end(const Error& why);
  void remember(std::uint64_t offset, ByteSpan bytes);

  Shared& shared_;
  SessionSlot& slot_;
  const InodeRef inode_;
  std::atomic<std::size_t> readahead_window_max_;
  std::size_t receive_window_bytes_ = 0;  // as last asked for

  std::optional<Gathering> gathering_;
  ExtentQueue unacknowledged_;
  runtime::WaitList progress_;  // an extent has left the queue
  std::uint64_t accepted_ = 0;  // writes so far
  Striping striping_;

  std::optional<std::vector<std::byte>> kept_content_;

  std::unique_ptr<DeferredAttrs> deferred_;
  unsigned setting_times_ = 0;  // of those under way, which change times or the size
  runtime::Gate setting_;       // changes of attributes under way

  // The connection
  ClientRef client_;  // in which the handles of all descriptors that are not lost are valid
  bool recovering_ = false;
  bool unopened_ = false;  // some descriptor has never had a handle
  bool unborn_ = false;    // the file is still to be made
  runtime::WaitList recovered_;
  std::optional<Error> ended_;  // the session was closed for good
  std::vector<std::weak_ptr<OpenFile>> descriptors_;
  std::optional<ContentSample> sample_;
  unsigned resizing_ = 0;
  runtime::WaitList resized_;
  // Recovery had to change the file's mode to open it again: until it has the old one back.
  struct ModeAside {
    ModeAside(const std::shared_ptr<FileIo>& io, std::uint32_t before) : share(io), mode(before) {
      share.inode()->mode_aside_begins(mode);
    }
    ModeAside(const ModeAside&) = delete;
    ModeAside& operator=(const ModeAside&) = delete;
    ~ModeAside() { share.inode()->mode_aside_ends(); }
    const IoShare share;
    const std::uint32_t mode;
  };
  std::optional<ModeAside> mode_aside_;
};

template <class T, class Send>
runtime::Task<Result<T>> FileIo::ask_file(OpenFileRef file, runtime::Cancel* cancel, Send send) {
  while (true) {
    const Status usable = co_await live(file, cancel);
    if (!usable) co_return fail(usable.error());
    send_gathered();
    const ClientRef client = client_;
    sftp::Call<T> call = send(*client, file->handle, queue());
    Result<T> result = co_await call.until(cancel);
    if (!was_lost(result)) co_return result;
    connection_lost();
  }
}

}  // namespace sftpfs::fs
