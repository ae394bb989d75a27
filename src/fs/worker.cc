// See worker.h.
#include "fs/worker.h"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"

namespace sftpfs::fs {
namespace {

// Users of the least loaded session at which a further one is worth its handshake.
constexpr unsigned kGrowAtUsers = 2;
// Connections that are being made at once: servers begin to turn some away from ten on (MaxStartups
// of sshd_config(5)).
constexpr unsigned kOpeningMax = 3;

sftp::SessionOptions session_options(const Options& options, unsigned index) {
  sftp::SessionOptions session;
  session.label = "session " + std::to_string(index);
  session.ping_interval = options.ping_interval;
  session.missed_pings_max = static_cast<int>(options.ping_count_max);
  session.greeting_timeout = options.greeting_timeout;
  session.follow_links = options.follow_links;
  session.seed = index + 1;
  return session;
}

runtime::Task<void> wait_until_ready(std::shared_ptr<sftp::Session> session,
                                     std::function<void()> opened) {
  // Failures are the session's to log and to retry; nobody waits for this.
  const Result<ClientRef> client = co_await session->ready(nullptr);
  if (client && opened) opened();
}

}  // namespace

Worker::Worker(unsigned index, const Clock& clock, std::size_t dirty_bytes_max)
    : index_(index), loop_(clock), dirty_bytes_(dirty_bytes_max) {}

Worker::~Worker() { stop_and_join(); }

void Worker::start() {
  thread_ = std::thread([this] { loop_.run(); });
  const std::string name = "sftpfs-w" + std::to_string(index_);
  pthread_setname_np(thread_.native_handle(), name.c_str());
}

void Worker::stop_and_join() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

SessionSlot::SessionSlot(Worker& worker, unsigned index,
                         std::shared_ptr<runtime::Connector> connector,
                         const sftp::SessionOptions& options)
    : worker_(worker),
      index_(index),
      session_options_(options),
      session_(sftp::Session::create(worker.loop(), std::move(connector), options)) {
  session_->on_state_change([this](sftp::SessionState state) { state_changed(state); });
}

void SessionSlot::state_changed(sftp::SessionState state) {
  const bool ready = state == sftp::SessionState::kReady;
  if (siblings_) std::exchange(siblings_, nullptr)->end("its connection was lost");
  if (ready) siblings_ = std::make_shared<Siblings>(loop(), session_->current(), session_options_);
  if (ready) opened_once_.store(true, std::memory_order_release);
  ready_.store(ready, std::memory_order_release);
  if (ready) tell_users();
}

void SessionSlot::add_user(std::weak_ptr<SessionUser> user) {
  // The dead are removed whenever there may be as many as living ones.
  if (told_.size() == told_.capacity()) {
    std::erase_if(told_, [](const std::weak_ptr<SessionUser>& each) { return each.expired(); });
  }
  told_.push_back(std::move(user));
}

void SessionSlot::tell_users() {
  // Whoever is told may add others, which need no telling.
  const std::vector<std::weak_ptr<SessionUser>> users = told_;
  for (const std::weak_ptr<SessionUser>& each : users) {
    if (const std::shared_ptr<SessionUser> user = each.lock()) user->session_ready();
  }
}

runtime::Task<Status> SessionSlot::adopt(std::unique_ptr<runtime::ByteStream> stream,
                                         runtime::Cancel* cancel) {
  Result<std::unique_ptr<sftp::Client>> client =
      co_await sftp::Client::start(std::move(stream), cancel);
  if (!client) co_return fail(client.error());
  session_->adopt(std::move(*client));
  co_return Status();
}

void SessionSlot::open(std::function<void()> opened) {
  runtime::spawn(wait_until_ready(session_, std::move(opened)));
}

SessionPool::SessionPool(const Options& options, const Clock& clock,
                         std::shared_ptr<runtime::Connector> connector)
    : connector_(std::move(connector)) {
  const unsigned sessions = std::max(1U, options.max_conns);
  const unsigned workers = std::clamp(options.workers, 1U, sessions);
  for (unsigned i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, clock, options.dirty_bytes_max / workers));
  }
  for (unsigned i = 0; i < sessions; ++i) {
    slots_.push_back(std::make_unique<SessionSlot>(*workers_[i % workers], i, connector_,
                                                   session_options(options, i)));
  }
}

SessionPool::~SessionPool() { stop(); }

SessionSlot& SessionPool::pick() {
  SessionSlot* best = nullptr;
  unsigned best_score = 0;
  for (const std::unique_ptr<SessionSlot>& slot : slots_) {
    if (!slot->ready()) continue;
    // A hop costs less than waiting behind one more user.
    const unsigned away = &slot->loop() == runtime::Loop::current() ? 0U : 1U;
    const unsigned score = 2 * slot->users() + away;
    if (best == nullptr || score < best_score) {
      best = slot.get();
      best_score = score;
    }
  }
  if (best == nullptr) return first_slot();  // waits for its reconnection
  if (best_score >= 2 * kGrowAtUsers) maybe_grow();
  return *best;
}

void SessionPool::maybe_grow() {
  if (!connector_->can_clone()) return;
  const unsigned at_once = grow_fully_.load(std::memory_order_acquire) ? kOpeningMax : 1;
  unsigned opening = 0;
  for (const std::unique_ptr<SessionSlot>& slot : slots_) {
    if (slot->opened_once()) continue;
    if (opening == at_once) return;
    ++opening;
    if (slot->asked_to_open_.exchange(true, std::memory_order_acq_rel)) continue;
    SessionSlot* raw = slot.get();
    slot->loop().post([this, raw] {
      raw->open([this] {
        if (grow_fully_.load(std::memory_order_acquire)) maybe_grow();
      });
    });
  }
}

void SessionPool::grow() {
  grow_fully_.store(true, std::memory_order_release);
  maybe_grow();
}

void SessionPool::start_threads() {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->start();
  started_ = true;
}

void SessionPool::probe_sessions() {
  for (const std::unique_ptr<SessionSlot>& slot : slots_) {
    slot->loop().post([session = slot->session_] { session->probe(); });
  }
}

void SessionPool::reconnect_sessions(const std::string& why) {
  for (const std::unique_ptr<SessionSlot>& slot : slots_) {
    slot->loop().post([session = slot->session_, why] { session->reconnect(why); });
  }
}

void SessionPool::close_sessions() {
  if (!started_) return;
  // A session dies on its own loop, before the loop stops.
  for (const std::unique_ptr<SessionSlot>& slot : slots_) {
    std::promise<void> closed;
    slot->loop().post([&slot, &closed] {
      slot->session().close();
      closed.set_value();
    });
    closed.get_future().wait();
  }
}

void SessionPool::stop() {
  if (!started_) return;
  close_sessions();
  started_ = false;
  for (const std::unique_ptr<Worker>& worker : workers_) worker->stop_and_join();
}

}  // namespace sftpfs::fs
