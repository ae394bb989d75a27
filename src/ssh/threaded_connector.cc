// See threaded_connector.h.
#include "ssh/threaded_connector.h"

#include <utility>

#include "ssh/connect.h"

namespace sftpfs::ssh {

using StreamResult = Result<std::unique_ptr<runtime::ByteStream>>;

// Shared by the waiting coroutine and the thread.
struct ThreadedConnector::Request {
  explicit Request(runtime::Loop& waiting_loop) : loop(waiting_loop) {}

  // Ends the wait, from any thread. The last thing done to a request outside its loop.
  static void finish(const std::shared_ptr<Request>& request, StreamResult outcome) {
    auto carried = std::make_shared<StreamResult>(std::move(outcome));
    request->loop.post([request, carried] {
      request->result = std::move(*carried);
      request->wake.notify_all();
    });
  }

  runtime::Loop& loop;
  Interrupt interrupt;
  // The loop's thread only:
  runtime::WaitList wake;
  std::optional<StreamResult> result;
};

ThreadedConnector::ThreadedConnector(Options options, std::shared_ptr<Login> login)
    : options_(std::move(options)), login_(std::move(login)), thread_([this] { serve(); }) {}

ThreadedConnector::~ThreadedConnector() {
  std::deque<std::shared_ptr<Request>> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(queue_);
    if (running_) running_->interrupt.raise();
  }
  changed_.notify_all();
  thread_.join();
  for (const std::shared_ptr<Request>& request : left) {
    Request::finish(request, fail(ErrorCode::kShutdown));
  }
}

runtime::Task<StreamResult> ThreadedConnector::connect(runtime::Cancel* cancel) {
  if (uses_child(options_, *login_)) {
    co_return ssh::connect(options_, *login_, nullptr, nullptr);
  }
  const auto request = std::make_shared<Request>(*runtime::Loop::current());
  submit(request);
  while (!request->result) {
    const bool notified = co_await request->wake.wait(cancel);
    if (!notified) {
      // Still queued it will be skipped; running it ends soon and its stream is dropped.
      request->interrupt.raise();
      co_return fail(cancel->error());
    }
  }
  co_return std::move(*request->result);
}

void ThreadedConnector::submit(const std::shared_ptr<Request>& request) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(request);
  }
  changed_.notify_all();
}

void ThreadedConnector::run_in_thread(std::function<void()> chore) {
  {
    const std::lock_guard lock(mutex_);
    chores_.push_back(std::move(chore));
  }
  changed_.notify_all();
}

std::shared_ptr<ThreadedConnector::Request> ThreadedConnector::next_request() {
  std::unique_lock lock(mutex_);
  running_.reset();
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty() || !chores_.empty(); });
    if (stopping_ || chores_.empty()) break;
    const std::function<void()> chore = std::move(chores_.front());
    chores_.pop_front();
    lock.unlock();
    chore();
    lock.lock();
  }
  if (stopping_) return nullptr;
  running_ = std::move(queue_.front());
  queue_.pop_front();
  return running_;
}

void ThreadedConnector::serve() {
  while (const std::shared_ptr<Request> request = next_request()) {
    if (request->interrupt.raised()) {
      Request::finish(request, fail(ErrorCode::kCancelled));
    } else {
      Request::finish(request, ssh::connect(options_, *login_, nullptr, &request->interrupt));
    }
  }
}

}  // namespace sftpfs::ssh
