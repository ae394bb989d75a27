// See liveness.h.
#include "sftp/liveness.h"

#include <algorithm>
#include <utility>

namespace sftpfs::sftp {
namespace {

constexpr int kMissedMin = 2;  // one to ask, one to be answered in
// How often a silent server's output is looked at, so that its last movement is known well.
constexpr int kLooksPerInterval = 4;
// Longer ones are as good as none, and their sums must not overflow.
constexpr Duration kLongest = std::chrono::hours(24 * 365);
constexpr Duration kProbePatience = std::chrono::seconds(1);
constexpr int kProbeRoundTrips = 4;

Duration limit_of(Duration interval, int missed_max) {
  const int times = std::max(missed_max, kMissedMin);
  return interval > kLongest / times ? kLongest : interval * times;
}

}  // namespace

Liveness::Liveness(runtime::Loop& loop, Client& client, Duration interval, int missed_max,
                   std::function<void()> on_dead)
    : client_(client),
      loop_(loop),
      interval_(std::min(interval, kLongest)),
      limit_(limit_of(interval, missed_max)),
      on_dead_(std::move(on_dead)),
      timer_(loop),
      life_(client.last_heard()) {
  listen();
}

void Liveness::probe() {
  ask_within(std::max(kProbePatience, client_.link().round_trip * kProbeRoundTrips));
}

void Liveness::listen() {
  state_ = State::kListening;
  ping_.reset();
  life_ = std::max(life_, client_.last_heard());
  arm(std::max(life_ + interval_, loop_.now()));
}

void Liveness::ask_within(Duration window) {
  const TimePoint now = loop_.now();
  if (state_ == State::kProbing && due_ <= now + window) return;
  state_ = State::kProbing;
  window_ = window;
  probed_at_ = now;
  ping_.emplace(client_.realpath("."));
  // Refused by a client that has too much in flight; then only what is heard can tell.
  if (ping_->done()) ping_.reset();
  arm(now + window);
}

void Liveness::arm(TimePoint due) {
  due_ = due;
  timer_.start_at(due, [this] { tick(); });
}

void Liveness::tick() {
  const TimePoint now = loop_.now();
  if (state_ == State::kProbing) return tick_probing(now);
  if (now - due_ > interval_) return ask_within(interval_);  // we have stood still ourselves
  if (client_.last_heard() > life_) return listen();
  tick_silent(now);
}

void Liveness::tick_silent(TimePoint now) {
  const std::uint64_t before = std::exchange(delivered_, client_.bytes_delivered());
  if (state_ == State::kListening) {
    state_ = State::kAsked;
    client_.realpath(".").forget();
  } else if (delivered_ > before && client_.output_pending()) {
    life_ = now;
  }
  if (now - life_ >= limit_) return die();
  arm(std::min(life_ + limit_, now + interval_ / kLooksPerInterval));
}

void Liveness::tick_probing(TimePoint now) {
  if (ping_ && ping_->done()) return listen();
  if (now - due_ > window_) {
    state_ = State::kAsked;
    return ask_within(window_);
  }
  // What was read at once may have been lying here since before the suspend.
  if (client_.last_heard() <= probed_at_ + window_ / 2) return die();
  probed_at_ = now;
  arm(now + window_);
}

void Liveness::die() {
  const std::function<void()> on_dead = std::move(on_dead_);
  on_dead();
}

}  // namespace sftpfs::sftp
