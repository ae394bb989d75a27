// See session.h.
//
//           ready()                      success
//   idle ------------> connecting -----------------------> ready
//    ^                  ^   ^  | failure                    |  |
//    |  somebody waits, |   |  |                            |  |
//    |  or it has been  |   |  +--------> backing off <-----+  |
//    |  ready before    |   |                 |   lost young   |
//    |                  +---|-----------------+                |
//    |   nobody wants it    +----------------------------------+
//    +----------------------------------------+      lost
//
//   probe() goes from backing off straight to connecting, and begins a new attempt in connecting.
//   close() leads from anywhere to closed, the end.
#include "sftp/session.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace sftpfs::sftp {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Not healed by waiting, only by the user.
bool needs_the_user(const Error& error) {
  return error.is(ErrorCode::kHostKey) || error.is(ErrorCode::kAuthentication);
}

}  // namespace

const char* session_state_name(SessionState state) {
  switch (state) {
    case SessionState::kIdle: return "idle";
    case SessionState::kConnecting: return "connecting";
    case SessionState::kReady: return "ready";
    case SessionState::kBackingOff: return "backing off";
    case SessionState::kClosed: return "closed";
  }
  return "?";
}

std::shared_ptr<Session> Session::create(runtime::Loop& loop,
                                         std::shared_ptr<runtime::Connector> connector,
                                         SessionOptions options) {
  return std::make_shared<Session>(loop, std::move(connector), std::move(options));
}

Session::Session(runtime::Loop& loop, std::shared_ptr<runtime::Connector> connector,
                 SessionOptions options)
    : loop_(loop),
      connector_(std::move(connector)),
      options_(std::move(options)),
      backoff_(options_.backoff_first, options_.backoff_longest, options_.seed),
      retry_(loop) {}

Session::~Session() = default;

runtime::Task<Result<std::shared_ptr<Client>>> Session::ready(runtime::Cancel* cancel) {
  const std::shared_ptr<Session> self = shared_from_this();
  while (true) {
    if (closing_) co_return fail(ErrorCode::kShutdown, options_.label + " is closed");
    // Lost in this very turn, it is still called ready until lost() has its own.
    const bool usable = state_ == SessionState::kReady && client_->alive();
    if (usable) co_return client_;
    if (state_ == SessionState::kIdle) {
      connect();
      continue;  // the attempt may have ended at once
    }
    const bool notified = co_await waiters_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
}

void Session::adopt(std::unique_ptr<Client> client) {
  SFTPFS_CHECK(state_ == SessionState::kIdle);
  become_ready(std::move(client));
}

std::size_t Session::load() const { return client_ ? client_->stats().requests_in_flight : 0; }

void Session::on_state_change(std::function<void(SessionState)> callback) {
  on_state_change_ = std::move(callback);
}

void Session::enter(SessionState state) {
  state_ = state;
  if (on_state_change_) on_state_change_(state);
}

// --- Connecting ---------------------------------------------------------------------------------

void Session::connect() {
  log_debug("{}: connecting", options_.label);
  attempt_ = runtime::Cancel::create();
  enter(SessionState::kConnecting);
  runtime::spawn(attempt(shared_from_this(), attempt_));
}

runtime::Task<void> Session::attempt(std::shared_ptr<Session> self,
                                     std::shared_ptr<runtime::Cancel> cancel) {
  auto stream = co_await self->connector_->connect(cancel.get());
  if (!stream) {
    self->attempt_ended(*cancel, fail(std::move(stream).error()));
    co_return;
  }
  runtime::Timer patience(self->loop_);
  patience.start_after(self->options_.greeting_timeout,
                       [cancel] { cancel->cancel(runtime::CancelReason::kTimedOut); });
  auto client = co_await Client::start(std::move(*stream), cancel.get());
  patience.cancel();
  self->attempt_ended(*cancel, std::move(client));
}

void Session::attempt_ended(const runtime::Cancel& whose, Result<std::unique_ptr<Client>> client) {
  // Closed meanwhile: nobody wants the connection any more.
  if (attempt_.get() != &whose) return;
  attempt_.reset();
  if (client) return become_ready(std::move(*client));
  if (client.error().is(ErrorCode::kTimedOut) && client.error().message().empty()) {
    return back_off(
        Error(ErrorCode::kTimedOut, fmt::format("the server did not begin SFTP within {:.0f} s",
                                                seconds(options_.greeting_timeout))));
  }
  back_off(client.error());
}

void Session::become_ready(std::unique_ptr<Client> client) {
  client_ = std::move(client);
  if (options_.follow_links) client_->follow_links();
  ++epoch_;
  ready_since_ = loop_.now();
  last_error_.reset();
  logged_.clear();
  log_ready();
  const std::weak_ptr<Session> weak = weak_from_this();
  client_->on_death([weak, epoch = epoch_] {
    const std::shared_ptr<Session> self = weak.lock();
    if (!self || self->epoch_ != epoch || !self->client_) return;
    const Error why = self->client_->cause_of_death();
    self->lost(why);
  });
  liveness_ = std::make_unique<Liveness>(
      loop_, *client_, options_.ping_interval, options_.missed_pings_max, [this] {
        const auto silent = loop_.now() - client_->last_heard();
        const Error why(ErrorCode::kConnectionLost,
                        fmt::format("the server has been silent for {:.0f} s", seconds(silent)));
        client_->kill(why.message());
        lost(why);
      });
  enter(SessionState::kReady);
  waiters_.notify_all();
}

void Session::log_ready() {
  if (epoch_ == 1) return log_info("{}: connected to {}", options_.label, client_->description());
  log_info("{}: connected again to {} after {:.1f} s", options_.label, client_->description(),
           seconds(loop_.now() - outage_since_));
}

void Session::probe() {
  switch (state_) {
    case SessionState::kReady: return liveness_->probe();
    case SessionState::kConnecting:
      // Begun before the suspend, it may wait for one who has long gone.
      abandon_attempt(runtime::CancelReason::kTimedOut);
      break;
    case SessionState::kBackingOff: retry_.cancel(); break;
    case SessionState::kIdle:
    case SessionState::kClosed: return;
  }
  backoff_.reset();
  connect();
}

void Session::reconnect(const std::string& why) {
  if (state_ != SessionState::kReady) return probe();
  const Error given_up(ErrorCode::kConnectionLost, why);
  client_->kill(why);
  lost(given_up);
}

void Session::abandon_attempt(runtime::CancelReason reason) {
  if (attempt_) std::exchange(attempt_, nullptr)->cancel(reason);
}

// --- Losing -------------------------------------------------------------------------------------

void Session::lost(const Error& why) {
  const Duration lived = loop_.now() - ready_since_;
  liveness_.reset();
  client_.reset();
  last_error_ = why;
  outage_since_ = loop_.now();
  log_info("{}: connection lost after {:.1f} s: {}", options_.label, seconds(lived),
           why.describe());
  // On the way out there is nothing to connect for.
  if (closing_) return close();
  if (lived < options_.stable_after) return wait_and_retry(backoff_.next());
  backoff_.reset();
  connect();
}

void Session::back_off(const Error& why) {
  const Duration wait = backoff_.next();
  last_error_ = why;
  log_failure(why, wait);
  wait_and_retry(wait);
}

void Session::wait_and_retry(Duration wait) {
  retry_.start_after(wait, [this] { backed_off(); });
  enter(SessionState::kBackingOff);
}

void Session::backed_off() {
  if (waiters_.empty() && epoch_ == 0) return enter(SessionState::kIdle);
  connect();
}

void Session::log_failure(const Error& why, Duration wait) {
  const bool user = needs_the_user(why);
  const ErrorCode kind = user ? why.code() : ErrorCode::kConnectionLost;
  if (std::find(logged_.begin(), logged_.end(), kind) != logged_.end()) {
    log_debug("{}: no connection, next attempt in {:.1f} s: {}", options_.label, seconds(wait),
              why.describe());
    return;
  }
  logged_.push_back(kind);
  log_at(user ? LogLevel::kError : LogLevel::kInfo,
         "{}: no connection, waiting and trying again until there is one: {}", options_.label,
         why.describe());
}

// --- Ending -------------------------------------------------------------------------------------

void Session::close() {
  if (state_ == SessionState::kClosed) return;
  closing_ = true;
  retry_.cancel();
  liveness_.reset();
  abandon_attempt(runtime::CancelReason::kShutdown);
  if (client_) std::exchange(client_, nullptr)->kill(options_.label + " was closed");
  log_at(state_ == SessionState::kIdle ? LogLevel::kDebug : LogLevel::kInfo, "{}: closed",
         options_.label);
  enter(SessionState::kClosed);
  waiters_.notify_all();
}

runtime::Task<void> Session::shutdown(TimePoint deadline) {
  const std::shared_ptr<Session> self = shared_from_this();
  closing_ = true;
  waiters_.notify_all();
  const std::shared_ptr<Client> client = client_;
  if (client) {
    const auto patience = runtime::Cancel::create();
    runtime::Timer timer(loop_);
    timer.start_at(deadline, [patience] { patience->cancel(runtime::CancelReason::kTimedOut); });
    Call<void> drained = client->drained();
    const Status ended = co_await drained.until(patience.get());
    if (!ended) log_info("{}: closed before all was answered", options_.label);
  }
  close();
}

}  // namespace sftpfs::sftp
