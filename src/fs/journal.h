// Journal: changes of names and attributes that were answered before the server has made them
// (durability=fsync), in the order in which they were answered.
//
// All go over one session, whose server works in order, and are sent without waiting for each
// other. Whoever asks the server about names waits until those queued before are on it (settled()).
//
//   add() -> queued -> sent -> answered: `done` is told, and it leaves
//              ^         |
//              |         | the connection was lost
//              |         v
//              +------ in doubt: which of them has the server made?
//
// The answers that were lost belong to a beginning of what was sent. Each change makes a name
// appear or vanish, so how far the server came shows in which names are there; what was made counts
// as answered, the rest is sent again. That is why a change waits for answers when it would lead
// back to a state that there was since (the name is made and removed), and why a directory moves
// alone.
//
// Ownership: one per mount, in Shared.
// Threads:   accepting() and pending() from any; settled() on any loop; the rest on loop().
// Limits:    kPendingMax changes; then they are waited for, as without a journal. After a refusal
//            nothing is answered early for a while.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "fs/names_in_flux.h"
#include "fs/worker.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sftp/client.h"

namespace sftpfs::fs {

class FileIo;

struct JournalAnswer {
  JournalAnswer() = default;
  Status status;
  // Of a created file; empty if the connection that opened it is lost.
  ClientRef client;
  sftp::Handle handle;
};

struct JournalEntry {
  enum class Kind : std::uint8_t {
    kMkdir,
    kSymlink,  // `path`, to `other`
    kCreate,
    kLink,  // `path`, another name of `other`
    kRemove,
    kRmdir,
    kRename,  // `path` to `other`
    kSetattr
  };
  JournalEntry(Kind what, std::string where) : kind(what), path(std::move(where)) {}

  Kind kind;
  std::string path;
  std::string other;
  sftp::Attrs attrs;
  std::uint32_t open_flags = 0;
  bool replaces = false;  // a rename to a name that is taken
  bool alone = false;     // nothing else of the journal may be under way
  // A rename waits until these writes are acknowledged: who replaces a file must not find the new
  // one empty after a crash.
  std::shared_ptr<FileIo> data_first;
  std::function<void(const JournalAnswer&)> done;  // on loop(), once
};

class Journal {
 public:
  Journal(SessionSlot& slot, const Clock& clock, NamesInFlux& names_in_flux)
      : slot_(slot), clock_(clock), names_in_flux_(names_in_flux) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  SessionSlot& slot() const { return slot_; }
  runtime::Loop& loop() const { return slot_.loop(); }
  std::uint64_t pending() const { return pending_.load(std::memory_order_acquire); }
  // How many were refused after they had been answered.
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // The server has refused something that was promised, here or of a file's content: for a while
  // nothing is promised. Any thread.
  void mistrust();
  bool is_trusting() const;
  // On loop(): whether a change may be answered early now.
  bool accepting() const;
  void add(JournalEntry entry);
  // Waits until all that was added before is made or refused. Any loop.
  runtime::Task<Status> settled(runtime::Cancel* cancel);

  // On loop(): a connection over which a request, sent at once, comes behind all that was added.
  runtime::Task<Result<ClientRef>> ready_in_order(runtime::Cancel* cancel);

  // While one lives, nothing is answered early: a change that is waited for may move directories.
  class Pause {
   public:
    explicit Pause(Journal& journal) : journal_(journal) { ++journal_.paused_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() { --journal_.paused_; }

   private:
    Journal& journal_;
  };

 private:
  struct Item {
    Item(JournalEntry what, NamesInFlux& names) : entry(std::move(what)), flux(names) {}
    JournalEntry entry;
    NamesInFlux::Scope flux;
    bool sent = false;
    bool answered = false;
    std::uint64_t state = 0;  // of the names, behind it
  };
  using ItemRef = std::shared_ptr<Item>;

  runtime::Task<void> work();
  runtime::Task<void> transmit(ItemRef item, ClientRef client);
  runtime::Task<JournalAnswer> ask(ItemRef item, ClientRef client);
  // Which of those in doubt the server has made; false: the connection was lost meanwhile.
  runtime::Task<bool> resolve(ClientRef client);
  runtime::Task<Status> settled_here(runtime::Cancel* cancel);
  ItemRef next_unsent() const;
  bool must_wait(const Item& item) const;
  static std::uint64_t state_behind(std::uint64_t before, const JournalEntry& entry);
  void answered(const ItemRef& item, const JournalAnswer& answer);
  void give_up(const Error& why);

  SessionSlot& slot_;
  const Clock& clock_;
  NamesInFlux& names_in_flux_;

  std::deque<ItemRef> items_;  // the oldest first
  std::uint64_t added_ = 0;
  std::uint64_t left_ = 0;  // so many have left the queue
  std::size_t in_flight_ = 0;
  bool alone_ = false;  // one under way wants to be alone
  bool working_ = false;
  bool in_doubt_ = false;
  ClientRef sending_;        // the connection of those under way
  std::uint64_t state_ = 0;  // of the names, behind the last one sent
  std::unordered_set<std::uint64_t> states_{
      0};  // all since the last time that nothing was in doubt
  runtime::WaitList moved_;

  std::atomic<std::uint64_t> pending_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<unsigned> paused_{0};
  std::atomic<TimePoint> trusted_again_{TimePoint{}};
};

}  // namespace sftpfs::fs
