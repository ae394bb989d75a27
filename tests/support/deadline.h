// Deadline: how long a wait may still take.
//
// Threads: a plain value.
// Limits:  SFTPFS_TEST_TIME_FACTOR (an integer) stretches every deadline, for runs under valgrind.
#pragma once

#include <chrono>
#include <cstdlib>

namespace sftpfs::test {

inline int time_factor() {
  const char* text = std::getenv("SFTPFS_TEST_TIME_FACTOR");
  const int factor = text == nullptr ? 1 : std::atoi(text);
  return factor < 1 ? 1 : factor;
}

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Deadline(std::chrono::milliseconds from_now)
      : at_(Clock::now() + from_now * time_factor()) {}

  Clock::time_point at() const { return at_; }
  bool passed() const { return Clock::now() >= at_; }
  // For poll(2): at least 0, rounded up.
  int remaining_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
  }
  // The same, but no longer than `at_most_ms`: for conditions that can only be polled.
  int slice_ms(int at_most_ms) const {
    const int left = remaining_ms();
    return left < at_most_ms ? left : at_most_ms;
  }

 private:
  Clock::time_point at_;
};

}  // namespace sftpfs::test
