// ThreadedConnector: makes clones and reconnects in a thread of its own, one at a time, because
// connecting with libssh2 blocks (name servers, key exchange, agents that ask).
//
//   connect() on a loop --request--> queue --> thread: ssh::connect() --post--> that loop
//
// Ownership: shares the login with whoever made the first connection; owns its thread.
// Threads:   connect() on any loop. The destructor ends a running attempt at once and joins;
//            requests still waiting then end with kShutdown, so their loops must still exist.
// Limits:    one attempt at a time, the others queue. Nobody is ever asked anything.
//            The ssh(1) transport needs no thread, and must not have one that could end before
//            its child (child.h): there the loop itself starts it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/connector.h"
#include "runtime/wait_list.h"
#include "ssh/login.h"
#include "ssh/options.h"
#include "ssh/patience.h"

namespace sftpfs::ssh {

class ThreadedConnector final : public runtime::Connector {
 public:
  ThreadedConnector(Options options, std::shared_ptr<Login> login);
  ~ThreadedConnector() override;
  ThreadedConnector(const ThreadedConnector&) = delete;
  ThreadedConnector& operator=(const ThreadedConnector&) = delete;

  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect(
      runtime::Cancel* cancel) override;
  bool can_clone() const override { return login_->can_clone(); }
  // Runs `chore` in the thread as soon as it is free; not at all when it is ending. Any thread.
  void run_in_thread(std::function<void()> chore);

 private:
  struct Request;
  void serve();
  std::shared_ptr<Request> next_request();
  void submit(const std::shared_ptr<Request>& request);

  const Options options_;
  const std::shared_ptr<Login> login_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Request>> queue_;  // guarded by mutex_
  std::deque<std::function<void()>> chores_;    // guarded by mutex_; before any request
  std::shared_ptr<Request> running_;            // guarded by mutex_
  bool stopping_ = false;                       // guarded by mutex_
  std::thread thread_;
};

}  // namespace sftpfs::ssh
