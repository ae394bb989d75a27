// See supervisor.h.
#include "app/supervisor.h"

#include <fmt/core.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/log.h"
#include "base/printable.h"
#include "ctl/render.h"

namespace sftpfs::app {
namespace {

constexpr Duration kIntervalLongest = std::chrono::seconds(5);
// How much longer a service may take to stop after each sign of life.
constexpr std::chrono::microseconds kExtension = std::chrono::seconds(20);

std::string status_of(const ctl::Report& report) {
  std::string status = report.state;
  if (!report.message.empty()) status += ": " + report.message;
  if (report.dirty_bytes > 0) {
    status += fmt::format(", {} unsent", ctl::human_bytes(static_cast<double>(report.dirty_bytes)));
  }
  return printable(status);
}

}  // namespace

Supervisor::Supervisor(runtime::Loop& loop, Control& control) : control_(control), timer_(loop) {}

void Supervisor::ready(bool foreground) {
  if (!foreground || std::getenv("NOTIFY_SOCKET") == nullptr) return;
  active_ = true;
  interval_ = kIntervalLongest;
  std::uint64_t watchdog_us = 0;
  if (::sd_watchdog_enabled(0, &watchdog_us) > 0) {
    interval_ = std::min<Duration>(interval_, std::chrono::microseconds(watchdog_us) / 3);
  }
  const int told = ::sd_notify(0, "READY=1");
  if (told < 0) log_warning("sd_notify: {}", Error::system(-told).describe());
  runtime::spawn(tell(this));
}

void Supervisor::stopping() {
  if (!active_) return;
  stopping_ = true;
  ::sd_notify(0, "STOPPING=1");
  timer_.cancel();
  runtime::spawn(tell(this));
}

runtime::Task<void> Supervisor::close() {
  telling_.close();
  timer_.cancel();
  co_await telling_.drained();
}

runtime::Task<void> Supervisor::tell(Supervisor* self) {
  if (!self->telling_.enter()) co_return;
  const ctl::Report report = co_await self->control_.report();
  std::string words = "WATCHDOG=1\n";
  const std::string status = status_of(report);
  if (status != self->status_) words += "STATUS=" + status + "\n";
  self->status_ = status;
  if (self->stopping_) words += fmt::format("EXTEND_TIMEOUT_USEC={}\n", kExtension.count());
  ::sd_notify(0, words.c_str());
  self->tell_later();
  self->telling_.leave();
}

void Supervisor::tell_later() {
  if (telling_.closed()) return;
  timer_.start_after(interval_, [this] { runtime::spawn(tell(this)); });
}

}  // namespace sftpfs::app
