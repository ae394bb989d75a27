// See liveness.h.
#include "sftp/liveness.h"

#include <algorithm>
#include <utility>

namespace sftpfs::sftp {

Liveness::Liveness(runtime::Loop& loop, Client& client, Duration interval, int missed_max,
                   std::function<void()> on_dead)
    : client_(client),
      loop_(loop),
      interval_(interval),
      missed_max_(missed_max),
      on_dead_(std::move(on_dead)),
      timer_(loop),
      heard_(client.last_heard()),
      bytes_sent_(client.stats().bytes_sent) {
  arm();
}

void Liveness::arm() {
  due_ = loop_.now() + interval_;
  timer_.start_at(due_, [this] { tick(); });
}

// Whether there was any sign of life since the last tick.
bool Liveness::moved() {
  const TimePoint heard = std::exchange(heard_, client_.last_heard());
  const std::uint64_t sent = std::exchange(bytes_sent_, client_.stats().bytes_sent);
  // Our own ping leaves too: bytes that leave only count while more wait behind them.
  return heard_ > heard || (bytes_sent_ > sent && client_.output_pending());
}

void Liveness::tick() {
  const bool was_suspended = loop_.now() - due_ > 2 * interval_;
  if (moved()) {
    missed_ = 0;
    return arm();
  }
  ++missed_;
  if (missed_ > missed_max_) {
    const std::function<void()> on_dead = std::move(on_dead_);
    on_dead();
    return;
  }
  // The answer is heard, not looked at: any answer will do.
  if (missed_ == 1) client_.realpath(".").forget();
  if (was_suspended) missed_ = std::max(missed_, missed_max_);
  arm();
}

}  // namespace sftpfs::sftp
