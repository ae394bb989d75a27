// Service: one mount from the first connection to the last byte.
//
//   connect() ─► serve(): adopt the stream, resolve the root ─► mount(2) ─► FUSE_INIT ─► ready
//                  └─ failed, or a signal: the reason             ─► until a signal or umount
//                                                                  ─► drain ─► unmount ─► end
//                                                     (a further signal ends the draining) ─┘
//
// Ownership: the wiring (mount_run.cc) makes one on the stack of the thread that lives longest.
// Threads:   its own control loop runs on the calling thread; workers post to it.
// Limits:    draining ends after Config::umount_timeout; what is then not on the server is named
//            in the log.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/config.h"
#include "app/control.h"
#include "app/daemon.h"
#include "app/signals.h"
#include "app/supervisor.h"
#include "app/unmounter.h"
#include "base/clock.h"
#include "fs/filesystem.h"
#include "fs/fuse/mount.h"
#include "runtime/loop.h"
#include "runtime/suspend_watcher.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "ssh/login.h"
#include "ssh/options.h"
#include "ssh/prompter.h"
#include "ssh/threaded_connector.h"

namespace sftpfs::app {

class Service {
 public:
  Service(const Config& config, const fs::Options& fs_options, const ssh::Options& ssh_options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // What the server's question for a password is answered with, before anybody is asked.
  void set_password(ssh::Secret password) { login_->keep_password(std::move(password)); }
  // Reaches the server and, with libssh2, logs in. Blocks; signals have their ordinary effect.
  Status connect(ssh::Prompter& prompter);
  // Once connected and mounted, everything that serving does not need is given up (sandbox.h), and
  // `unmounter` unmounts.
  void set_unmounter(Unmounter unmounter) { unmounter_.emplace(std::move(unmounter)); }
  // Waits between two attempts; signals have their ordinary effect.
  static void pause(std::chrono::milliseconds duration);
  // Looks at the directory on the server, and mounts nothing.
  Outcome check();
  // Mounts on `mountpoint`, tells `readiness`, serves, and returns when the mount has ended.
  Outcome serve(const std::string& mountpoint, Readiness& readiness);

 private:
  enum class Phase { kStarting, kServing, kEnding };

  runtime::Task<void> run_check();
  runtime::Task<void> run(std::string mountpoint, Readiness& readiness);
  runtime::Task<Outcome> start(std::string mountpoint);
  runtime::Task<Status> adopt_and_start();
  void start_lazily();
  runtime::Task<Outcome> finish(std::string mountpoint);
  Status watch();
  void give_up_rights();
  Status restrict_all_threads();
  void on_signal(int signal);
  void on_resume(Duration slept);
  void log_statistics() const;

  const Config& config_;
  const ssh::Options ssh_options_;
  SteadyClock clock_;
  std::shared_ptr<ssh::Login> login_;
  std::unique_ptr<runtime::ByteStream> first_stream_;
  std::optional<Unmounter> unmounter_;

  SignalMask mask_;  // before any thread
  runtime::Loop control_;
  SignalWatcher signals_;
  runtime::SuspendWatcher suspends_;
  fs::OperationContext starting_;
  fs::OperationContext draining_;
  std::shared_ptr<ssh::ThreadedConnector> connector_;
  fs::Shared shared_;
  fs::Filesystem filesystem_;
  std::unique_ptr<fuse::Mount> mount_;
  Control control_socket_;
  Supervisor supervisor_;
  Phase phase_ = Phase::kStarting;
  bool serving_ = false;
  bool ending_ = false;
  bool stop_asked_ = false;    // by a signal
  bool connected_ = false;     // once
  bool confined_ = false;      // in the sandbox
  runtime::WaitList changed_;  // serving_ or ending_
  Outcome outcome_;
};

}  // namespace sftpfs::app
