// Session: a long-lived place for one connection. It connects when asked to, notices loss, and
// connects again with back-off, one attempt for all who wait.
//
// Ownership: shared, made by create(). Whoever waits in ready() and a connection attempt under way
//            hold a share, so the owner ends it with close() or shutdown(). It owns its Client
//            together with the operations that use it: a lost Client answers kConnectionLost.
// Threads:   the thread of its loop only.
// Limits:    an attempt ends within the connector's timeout plus `greeting_timeout`.
//
// It keeps trying for ever: even an error that will not heal by itself (a changed host key, a
// refused password) may be healed by the user.
//
// The log has one line for each transition: connected, lost and why, waiting and for what (at error
// level where only the user can help), connected again and after how long. Attempts have none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/cancel.h"
#include "runtime/connector.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sftp/backoff.h"
#include "sftp/client.h"
#include "sftp/liveness.h"

namespace sftpfs::sftp {

enum class SessionState : std::uint8_t { kIdle, kConnecting, kReady, kBackingOff, kClosed };

const char* session_state_name(SessionState state);

struct SessionOptions {
  std::string label = "session";  // names it in the log
  Duration backoff_first = std::chrono::milliseconds(200);
  Duration backoff_longest = std::chrono::seconds(30);
  // A connection that lived less than this counts as one more failed attempt.
  Duration stable_after = std::chrono::seconds(10);
  Duration greeting_timeout = std::chrono::seconds(30);
  Duration ping_interval = std::chrono::seconds(15);
  int missed_pings_max = 3;
  std::uint64_t seed = 0;     // of the back-off's chance
  bool follow_links = false;  // Client::follow_links()
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> create(runtime::Loop& loop,
                                         std::shared_ptr<runtime::Connector> connector,
                                         SessionOptions options);
  // For create().
  Session(runtime::Loop& loop, std::shared_ptr<runtime::Connector> connector,
          SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Waits for a connection, starting one when idle. Failed attempts do not end the wait;
  // `cancel` (may be null) and close() do.
  runtime::Task<Result<std::shared_ptr<Client>>> ready(runtime::Cancel* cancel);
  // Takes over a connection made elsewhere: the first one. Only when idle.
  void adopt(std::unique_ptr<Client> client);
  // Null unless ready.
  std::shared_ptr<Client> current() const { return client_; }

  SessionState state() const { return state_; }
  // Grows with each connection; 0 before the first. Handles belong to one epoch.
  std::uint64_t epoch() const { return epoch_; }
  // Why there is no connection: of the last attempt or of the loss.
  const std::optional<Error>& last_error() const { return last_error_; }
  // Requests in flight.
  std::size_t load() const;
  // Called on the loop after each transition; must not destroy the session.
  void on_state_change(std::function<void(SessionState)> callback);

  // After a suspend of the machine: a connection has to prove itself at once, and who waits for
  // the next attempt has it now.
  void probe();

  // Gives the connection up, or the wait for the next attempt, and connects anew.
  void reconnect(const std::string& why);

  // Ends everything now: open calls yield kConnectionLost, waiters kShutdown.
  void close();
  // Refuses new users, waits until every request is answered or `deadline` has come, and closes.
  runtime::Task<void> shutdown(TimePoint deadline);

 private:
  static runtime::Task<void> attempt(std::shared_ptr<Session> self,
                                     std::shared_ptr<runtime::Cancel> cancel);
  void attempt_ended(const runtime::Cancel& whose, Result<std::unique_ptr<Client>> client);
  void connect();
  void become_ready(std::unique_ptr<Client> client);
  void lost(const Error& why);
  void back_off(const Error& why);
  void wait_and_retry(Duration wait);
  void backed_off();
  void enter(SessionState state);
  void abandon_attempt(runtime::CancelReason reason);
  void log_ready();
  void log_failure(const Error& why, Duration wait);

  runtime::Loop& loop_;
  std::shared_ptr<runtime::Connector> connector_;
  SessionOptions options_;
  Backoff backoff_;
  runtime::Timer retry_;
  runtime::WaitList waiters_;
  SessionState state_ = SessionState::kIdle;
  bool closing_ = false;

  std::shared_ptr<runtime::Cancel> attempt_;  // of the attempt under way
  std::shared_ptr<Client> client_;
  std::unique_ptr<Liveness> liveness_;
  std::uint64_t epoch_ = 0;
  TimePoint ready_since_{};

  std::optional<Error> last_error_;
  TimePoint outage_since_{};
  std::vector<ErrorCode> logged_;  // of the outage under way, so that repeats stay quiet
  std::function<void(SessionState)> on_state_change_;
};

}  // namespace sftpfs::sftp
