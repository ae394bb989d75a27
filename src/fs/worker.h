// Worker: a thread with an event loop and a pool of cloned sessions; SessionPool: all of them.
//
// Clones share options, credentials, the pinned host key, the inode table and the caches. They do
// not share a session, its requests, its errors or its counters: a session is touched by its own
// worker only. Other workers reach it by hopping to its loop (runtime::run_on).
//
// Ownership: SessionPool owns workers and slots; one per mount.
// Threads:   pick() from any worker; a slot's session only on slot.loop().
// Limits:    `workers` threads, `max_conns` sessions in all. The first session is opened at mount;
//            others in the background, when every open one has work or a big transfer wants them,
//            and the credentials allow it. One session is always enough.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "fs/options.h"
#include "fs/siblings.h"
#include "runtime/connector.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sftp/session.h"

namespace sftpfs::fs {

class Worker {
 public:
  Worker(unsigned index, const Clock& clock, std::size_t dirty_bytes_max);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  unsigned index() const { return index_; }
  runtime::Loop& loop() { return loop_; }
  // Bytes accepted by write(2) and not yet acknowledged, of all files at home here.
  runtime::Semaphore& dirty_bytes() { return dirty_bytes_; }
  // Files that are being closed without anybody waiting; on loop().
  runtime::Gate& closing() { return closing_; }

  void start();
  void stop_and_join();

 private:
  const unsigned index_;
  runtime::Loop loop_;
  runtime::Semaphore dirty_bytes_;
  runtime::Gate closing_;
  std::thread thread_;
};

// Has something to do again whenever a session has a new connection.
class SessionUser {
 public:
  virtual void session_ready() = 0;  // on the session's loop

 protected:
  ~SessionUser() = default;
};

class SessionSlot {
 public:
  SessionSlot(Worker& worker, unsigned index, std::shared_ptr<runtime::Connector> connector,
              const sftp::SessionOptions& options);

  Worker& worker() const { return worker_; }
  runtime::Loop& loop() const { return worker_.loop(); }
  unsigned index() const { return index_; }
  sftp::Session& session() { return *session_; }  // on loop() only
  // Takes over the first connection; on loop() only.
  runtime::Task<Status> adopt(std::unique_ptr<runtime::ByteStream> stream, runtime::Cancel* cancel);
  // Connects in the background, then calls `opened`; on loop() only.
  void open(std::function<void()> opened = {});

  // Of the connection there is; null without one. On loop() only.
  Siblings* siblings() const { return siblings_.get(); }

  // Tells `user` of every new connection as long as it lives; on loop() only.
  void add_user(std::weak_ptr<SessionUser> user);

  // Any thread.
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  bool opened_once() const { return opened_once_.load(std::memory_order_acquire); }
  unsigned users() const { return users_.load(std::memory_order_relaxed); }

 private:
  friend class Lease;
  friend class SessionPool;
  Worker& worker_;
  const unsigned index_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> opened_once_{false};
  std::atomic<bool> asked_to_open_{false};
  void state_changed(sftp::SessionState state);
  void tell_users();

  std::atomic<unsigned> users_{0};
  const sftp::SessionOptions session_options_;
  std::shared_ptr<sftp::Session> session_;
  std::shared_ptr<Siblings> siblings_;
  std::vector<std::weak_ptr<SessionUser>> told_;
};

// Counts its holder as a user of a slot, for the choice of the least loaded.
class Lease {
 public:
  explicit Lease(SessionSlot& slot) : slot_(&slot) {
    slot.users_.fetch_add(1, std::memory_order_relaxed);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { slot_->users_.fetch_sub(1, std::memory_order_relaxed); }
  SessionSlot& slot() const { return *slot_; }
  runtime::Loop& loop() const { return slot_->loop(); }

 private:
  SessionSlot* slot_;
};

class SessionPool {
 public:
  SessionPool(const Options& options, const Clock& clock,
              std::shared_ptr<runtime::Connector> connector);
  ~SessionPool();
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }
  SessionSlot& first_slot() { return *slots_.front(); }
  const std::vector<std::unique_ptr<SessionSlot>>& slots() const { return slots_; }

  // The least loaded open session, one of the calling worker's own where it makes no difference.
  // Asks for a further session when all have work.
  SessionSlot& pick();

  // Opens all sessions that there may be, a few at once. Any thread.
  void grow();

  void start_threads();
  // After a suspend of the machine: Session::probe() of all. Any thread.
  void probe_sessions();
  // Gives every connection up for a new one. Any thread.
  void reconnect_sessions(const std::string& why);
  // Ends all sessions: whoever waits for one, or for an answer, gets an error at once.
  void close_sessions();
  // Ends the threads too; nothing may be under way any more.
  void stop();

 private:
  void maybe_grow();

  std::shared_ptr<runtime::Connector> connector_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<SessionSlot>> slots_;
  std::atomic<bool> grow_fully_{false};
  bool started_ = false;
};

}  // namespace sftpfs::fs
