// LinkEstimator: what requests and replies tell about the link, its round trip time and how fast
// it delivers in either direction.
//
// The round trip is the smallest seen in the last one to two windows of 10 s, of requests that
// were sent while little else was under way. The rates are the best seen likewise: bytes delivered
// between a request's sending and its answer, over that time. What a trickle of small requests
// delivers says nothing about the link, so it only counts when it beats the best.
//
// Ownership: the engine owns one.
// Threads:   one thread; time is passed in.
// Limits:    an estimate stays until a newer sample replaces it, however old it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"

namespace sftpfs::sftp {

// What the client has measured of its link.
struct LinkEstimate {
  Duration round_trip{};                  // smallest seen lately; zero: not known yet
  std::uint64_t receive_bytes_per_s = 0;  // best seen lately
  std::uint64_t send_bytes_per_s = 0;
  // The receive rate has risen by a quarter within the last three round trips: there may be more to
  // be had by asking for more (the start-up of BBR, draft-cardwell-iccrg-bbr-congestion-control).
  bool receive_rate_grows = false;
};

// The best of the samples of the current and of the previous window.
template <class T, class Better>
class RecentBest {
 public:
  explicit RecentBest(Duration window) : window_(window) {}

  void add(TimePoint now, T value) {
    if (!current_ || now - begun_ >= window_) {
      previous_ = now - begun_ < 2 * window_ ? current_ : std::nullopt;
      current_.reset();
      begun_ = now;
    }
    if (!current_ || Better()(value, *current_)) current_ = value;
  }
  std::optional<T> best() const {
    if (current_ && previous_) return Better()(*previous_, *current_) ? previous_ : current_;
    return current_;
  }

 private:
  Duration window_;
  TimePoint begun_{};
  std::optional<T> current_;
  std::optional<T> previous_;
};

class LinkEstimator {
 public:
  // What is remembered of the moment a request was sent.
  struct Mark {
    TimePoint sent{};
    std::uint64_t received_bytes = 0;
    std::uint64_t acknowledged_bytes = 0;
    bool times_round_trip = false;
  };

  // `bytes_under_way`: data asked for or sent and not answered yet, this request's included.
  Mark mark(TimePoint now, std::uint64_t bytes_under_way) const;
  void on_received(std::uint64_t bytes) { received_bytes_ += bytes; }
  void on_acknowledged(std::uint64_t bytes) { acknowledged_bytes_ += bytes; }
  // The answer to the request marked so, after its bytes have been counted.
  void on_reply(const Mark& mark, TimePoint now);
  LinkEstimate estimate() const;

 private:
  using BestRate = RecentBest<std::uint64_t, std::greater<>>;
  static void add_rate(BestRate& rate, std::uint64_t bytes, Duration elapsed, TimePoint now);

  static constexpr Duration kWindow = std::chrono::seconds(10);
  std::uint64_t received_bytes_ = 0;
  std::uint64_t acknowledged_bytes_ = 0;
  RecentBest<Duration, std::less<>> round_trip_{kWindow};
  BestRate receive_rate_{kWindow};
  BestRate send_rate_{kWindow};
  std::uint64_t risen_to_bytes_per_s_ = 0;
  TimePoint risen_at_{};
  TimePoint last_reply_at_{};
};

}  // namespace sftpfs::sftp
