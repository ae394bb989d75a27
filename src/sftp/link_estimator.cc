// See link_estimator.h.
#include "sftp/link_estimator.h"

#include <algorithm>

namespace sftpfs::sftp {
namespace {

constexpr std::uint64_t kQuietBytesMax = 64 * 1024;
constexpr std::uint64_t kBulkSampleBytesMin = 256 * 1024;
constexpr double kRise = 1.25;
constexpr int kRoundTripsToRise = 3;
constexpr Duration kElapsedMin = std::chrono::microseconds(1);

}  // namespace

LinkEstimator::Mark LinkEstimator::mark(TimePoint now, std::uint64_t bytes_under_way) const {
  Mark mark;
  mark.sent = now;
  mark.received_bytes = received_bytes_;
  mark.acknowledged_bytes = acknowledged_bytes_;
  mark.times_round_trip = bytes_under_way <= kQuietBytesMax;
  return mark;
}

void LinkEstimator::on_reply(const Mark& mark, TimePoint now) {
  const Duration elapsed = std::max(now - mark.sent, kElapsedMin);
  if (mark.times_round_trip) round_trip_.add(now, elapsed);
  add_rate(receive_rate_, received_bytes_ - mark.received_bytes, elapsed, now);
  add_rate(send_rate_, acknowledged_bytes_ - mark.acknowledged_bytes, elapsed, now);
  last_reply_at_ = now;
  const std::uint64_t rate = receive_rate_.best().value_or(0);
  if (static_cast<double>(rate) >= kRise * static_cast<double>(risen_to_bytes_per_s_)) {
    risen_to_bytes_per_s_ = rate;
    risen_at_ = now;
  }
  risen_to_bytes_per_s_ = std::min(risen_to_bytes_per_s_, rate);
}

void LinkEstimator::add_rate(BestRate& rate, std::uint64_t bytes, Duration elapsed, TimePoint now) {
  if (bytes == 0) return;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const auto sample = static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds);
  if (bytes < kBulkSampleBytesMin && sample <= rate.best().value_or(0)) return;
  rate.add(now, sample);
}

LinkEstimate LinkEstimator::estimate() const {
  LinkEstimate estimate;
  estimate.round_trip = round_trip_.best().value_or(Duration{});
  estimate.receive_bytes_per_s = receive_rate_.best().value_or(0);
  estimate.send_bytes_per_s = send_rate_.best().value_or(0);
  estimate.receive_rate_grows =
      last_reply_at_ - risen_at_ <= kRoundTripsToRise * estimate.round_trip;
  return estimate;
}

}  // namespace sftpfs::sftp
