// World: a Filesystem driven without a kernel, over real sftp-server processes in a directory of
// its own.
//
// Ownership: owns worker threads, sessions, server processes and directories; all are gone with
//            it. The test ends its operations before.
// Threads:   the test's thread. Operations run on the workers; run() waits for them.
// Limits:    an operation that does not end within a minute ends the test programme: whatever it
//            waits for, it hangs.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "fs/file_io.h"
#include "fs/filesystem.h"
#include "runtime/connector.h"
#include "support/deadline.h"
#include "support/temp_dir.h"

namespace sftpfs::model {

struct Shape {
  unsigned workers = 1;
  unsigned max_conns = 1;
  std::size_t cache_slots = 64;
  std::size_t block_size_bytes = 16 << 10;
  std::size_t dirty_bytes_max = 4 << 20;
  bool striped = false;   // wherever it is possible
  bool siblings = false;  // a connection carries several conversations
  // Writes beyond it fail on the server; 0: no limit.
  std::size_t file_bytes_max = 0;
  // Of one listing; 0: the usual limit.
  std::size_t open_directory_bytes_max = 0;
};

// The machine's clock, which can be put forward.
class SkippingClock final : public Clock {
 public:
  TimePoint now() const override { return clock_.now() + Duration(skipped_.load()); }
  WallTime wall_now() const override { return clock_.wall_now(); }
  void skip(Duration by) { skipped_ += by.count(); }

 private:
  SteadyClock clock_;
  std::atomic<Duration::rep> skipped_{0};
};

// A number of operations that suits the build: sanitizers are slow.
int scaled(int count);

// Starts sftp-server processes, and ends them when a test wants to see a connection break.
class ServerConnector final : public runtime::Connector {
 public:
  ServerConnector(std::vector<std::string> command, bool siblings)
      : command_(std::move(command)), siblings_(siblings) {}
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect(
      runtime::Cancel* cancel) override;
  bool can_clone() const override { return true; }
  // Kills every server that runs now.
  void kill_servers();

 private:
  const std::vector<std::string> command_;
  const bool siblings_;
  std::mutex mutex_;
  std::vector<UniqueFd> servers_;  // pidfds
};

class World {
 public:
  explicit World(const Shape& shape);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  fs::Filesystem& fs() { return filesystem_; }
  fs::Shared& shared() { return shared_; }
  ServerConnector& connector() { return *connector_; }
  unsigned workers() const { return shape_.workers; }
  // The mounted directory, on the server.
  const std::string& directory() const { return directory_; }
  // An empty sibling for a reference.
  const std::string& sibling() const { return sibling_; }

  // Begins `task` on a worker's loop.
  template <class T>
  std::future<T> start(unsigned worker, runtime::Task<T> task) {
    std::promise<T> promise;
    std::future<T> result = promise.get_future();
    loop(worker).post([moved = std::move(task), done = std::move(promise)]() mutable {
      runtime::spawn(deliver(std::move(moved), std::move(done)));
    });
    return result;
  }
  template <class T>
  T wait(std::future<T> result) {
    const auto patience = std::chrono::seconds(60) * test::time_factor();
    if (result.wait_for(patience) != std::future_status::ready) hangs();
    return result.get();
  }
  // On one worker after the other.
  template <class T>
  T run(runtime::Task<T> task) {
    return wait(start(next_worker_++ % shape_.workers, std::move(task)));
  }
  // Calls `function` on the loop of a worker and waits for its result.
  template <class F>
  auto call(unsigned worker, F function) {
    std::promise<decltype(function())> done;
    auto result = done.get_future();
    loop(worker).post([&] { done.set_value(function()); });
    return wait(std::move(result));
  }
  // Waits until what the workers have been given so far is done.
  void settle();

  // As if so much time had passed, though not on the wall: what was believed for so long expires.
  void skip(Duration by) { clock_.skip(by); }
  // Opens every session that there may be.
  void open_sessions();
  std::size_t dirty_bytes();
  // What must hold when every handle is closed and every inode forgotten.
  void expect_idle();

 private:
  template <class T>
  static runtime::Task<void> deliver(runtime::Task<T> task, std::promise<T> done) {
    T value = co_await std::move(task);
    done.set_value(std::move(value));
  }
  runtime::Loop& loop(unsigned worker) { return shared_.pool.workers()[worker]->loop(); }
  [[noreturn]] void hangs();

  const Shape shape_;
  test::TempDir temp_;
  const std::string directory_;
  const std::string sibling_;
  SkippingClock clock_;
  std::shared_ptr<ServerConnector> connector_;
  fs::Shared shared_;
  fs::Filesystem filesystem_;
  unsigned next_worker_ = 0;
};

}  // namespace sftpfs::model
