// Liveness: notices that a server has fallen silent without closing the connection.
//
// When nothing has been heard for an interval, a cheap request is sent (REALPATH "."); when the
// intervals after it stay silent too, the server is given up. While output is leaving, a slow
// link is assumed and not a dead one. After a suspend of the machine one interval has to do.
//
// Ownership: a Session owns one per connection; the client outlives it.
// Threads:   the client's loop only.
// Limits:    a dead server is noticed after `missed_max` to `missed_max` + 1 intervals.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "runtime/loop.h"
#include "sftp/client.h"

namespace sftpfs::sftp {

class Liveness {
 public:
  // `on_dead` is called once, from a timer; it may destroy this object.
  Liveness(runtime::Loop& loop, Client& client, Duration interval, int missed_max,
           std::function<void()> on_dead);

 private:
  void arm();
  void tick();
  bool moved();

  Client& client_;
  runtime::Loop& loop_;
  Duration interval_;
  int missed_max_;
  std::function<void()> on_dead_;
  runtime::Timer timer_;
  TimePoint due_{};
  TimePoint heard_{};  // as of the last tick
  std::uint64_t bytes_sent_ = 0;
  int missed_ = 0;  // silent intervals in a row
};

}  // namespace sftpfs::sftp
