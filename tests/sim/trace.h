// Trace: what happened in one schedule, line by line. Switched off unless a failing schedule is
// run again to be shown: formatting costs more than everything else.
//
// Ownership: owns its lines.
// Threads:   one thread.
// Limits:    none; a schedule has some thousands of lines.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sftpfs::sim {

class Trace {
 public:
  Trace(const Clock& clock, bool enabled) : clock_(clock), enabled_(enabled) {}

  bool enabled() const { return enabled_; }
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (!enabled_) return;
    const double at = std::chrono::duration<double>(clock_.now().time_since_epoch()).count();
    lines_.push_back(
        fmt::format("{:12.6f} {}", at, fmt::format(format, std::forward<Args>(args)...)));
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const Clock& clock_;
  const bool enabled_;
  std::vector<std::string> lines_;
};

}  // namespace sftpfs::sim
