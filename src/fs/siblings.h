// Siblings: further SFTP conversations over the connection of a session, for big transfers.
//
// A channel of OpenSSH's server takes at most 2 MiB a round trip, whatever the client does. A
// further channel costs three round trips, a further connection a dozen.
//
// Ownership: the session slot, one object per connection; an opening under way holds a share.
// Threads:   the slot's loop.
// Limits:    as many as are asked for. Those that nobody has used for a minute are closed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "runtime/cancel.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "sftp/client.h"
#include "sftp/liveness.h"
#include "sftp/session.h"

namespace sftpfs::fs {

using ClientRef = std::shared_ptr<sftp::Client>;

class Siblings : public std::enable_shared_from_this<Siblings> {
 public:
  // Of `options` how often a silent server is asked, and when it is given up: one channel's server
  // may hang while the connection lives.
  Siblings(runtime::Loop& loop, const ClientRef& first, const sftp::SessionOptions& options);

  // Whether the connection may carry further conversations, as far as is known.
  bool possible() const;
  // Opens as many as are missing to `count`, in the background.
  void grow(std::size_t count);
  bool growing() const { return opening_ > 0; }
  // Those that serve. Whoever uses one keeps a share of it.
  std::vector<ClientRef> all();
  // The connection is given up: `why` is what their open calls end with.
  void end(const std::string& why);

 private:
  struct Sibling {
    ClientRef client;
    std::unique_ptr<sftp::Liveness> liveness;
  };
  static runtime::Task<void> open(std::shared_ptr<Siblings> self, ClientRef first);
  void add(ClientRef sibling);
  void sweep();

  runtime::Loop& loop_;
  std::weak_ptr<sftp::Client> first_;
  const Duration ping_interval_;
  const int missed_pings_max_;
  std::vector<Sibling> all_;
  std::size_t opening_ = 0;
  const std::shared_ptr<runtime::Cancel> cancel_ = runtime::Cancel::create();
  bool refused_ = false;
  TimePoint wanted_at_{};
  runtime::Timer idle_;
};

}  // namespace sftpfs::fs
