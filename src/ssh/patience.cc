// See patience.h.
#include "ssh/patience.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/check.h"

namespace sftpfs::ssh {
namespace {

// Longer waits are cut into pieces, because poll(2) does not count time asleep.
constexpr std::chrono::milliseconds kPollPiece{1000};

}  // namespace

Interrupt::Interrupt() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { SFTPFS_CHECK(event_); }

void Interrupt::raise() {
  raised_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof(one));
}

Status Patience::check() const {
  if (interrupt_ != nullptr && interrupt_->raised()) return fail(ErrorCode::kCancelled);
  if (clock_.now() >= deadline_) return fail(ErrorCode::kTimedOut);
  return {};
}

Result<int> Patience::poll(std::span<pollfd> fds, Duration at_most) const {
  std::vector<pollfd> all(fds.begin(), fds.end());
  if (interrupt_ != nullptr) all.push_back(pollfd{interrupt_->fd(), POLLIN, 0});
  const TimePoint until = std::min(clock_.now() + at_most, deadline_);
  while (true) {
    if (Status status = check(); !status) return fail(status.error());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock_.now());
    const auto piece = std::clamp(left, std::chrono::milliseconds(0), kPollPiece);
    const int ready = ::poll(all.data(), all.size(), static_cast<int>(piece.count()));
    if (ready < 0 && errno != EINTR) return fail(Error::system(errno, "poll"));
    if (ready > 0) {
      if (Status status = check(); !status) return fail(status.error());
      std::copy_n(all.begin(), fds.size(), fds.begin());
      return ready;
    }
    if (clock_.now() >= until) {
      if (Status status = check(); !status) return fail(status.error());
      return 0;
    }
  }
}

Status Patience::wait(int fd, short events) const {
  pollfd one{fd, events, 0};
  while (true) {
    Result<int> ready = poll({&one, 1}, std::chrono::hours(1));
    if (!ready) return fail(ready.error());
    if (*ready > 0) return {};
  }
}

}  // namespace sftpfs::ssh
