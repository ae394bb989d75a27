// Supervisor: what a service manager is told (sd_notify): READY, STATUS, WATCHDOG, STOPPING, and
// EXTEND_TIMEOUT_USEC while data are on their way to the server.
//
// A sign of life is sent only after every worker has answered, so a daemon whose loops hang is
// noticed. A server that is away is no reason to be killed: programmes wait for it.
//
// Ownership: Service owns it.
// Threads:   the control loop's.
// Limits:    silent without NOTIFY_SOCKET, and in a daemon that has left its service's main
// process.
#pragma once

#include <string>

#include "app/control.h"
#include "runtime/loop.h"
#include "runtime/wait_list.h"

namespace sftpfs::app {

class Supervisor {
 public:
  Supervisor(runtime::Loop& loop, Control& control);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // The mount serves.
  void ready(bool foreground);
  // No more new things; signs of life go on until close().
  void stopping();
  // Resumes when nothing is under way any more.
  runtime::Task<void> close();

 private:
  static runtime::Task<void> tell(Supervisor* self);
  void tell_later();

  Control& control_;
  runtime::Timer timer_;
  Duration interval_{};
  bool active_ = false;
  bool stopping_ = false;
  std::string status_;  // as last told
  runtime::Gate telling_;
};

}  // namespace sftpfs::app
