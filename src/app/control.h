// Control: what the mount answers at its control socket (ctl/protocol.h).
//
//   report         everything worth knowing (ctl/report.h)
//   ops            requests of the kernel that have no answer yet
//   flush          waits until everything written so far is on the server, with news on the way
//   reconnect      gives the connections up and makes new ones
//   drop-caches    attributes, listings and contents are asked for again
//   loglevel       {"level": "debug"}
//   options        the words of -o that it was mounted with
//   remount        {"options": "acmax=60,soft", "only": "check"}: see remount.h
//
// Ownership: Service owns it; the socket is there between open() and close().
// Threads:   the control loop's; it hops to the workers for what is theirs.
// Limits:    a mount without a socket serves as well: where none can be made, that is logged.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "ctl/report.h"
#include "ctl/server.h"
#include "fs/filesystem.h"
#include "fs/fuse/mount.h"
#include "runtime/loop.h"

namespace sftpfs::app {

class Control final : private ctl::Handler {
 public:
  Control(runtime::Loop& loop, const Config& config, fs::Shared& shared);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // The mount serves.
  void open(fuse::Mount& mount, const std::string& mountpoint);
  void set_ending() { ending_ = true; }
  // Where its socket lies; empty: nowhere.
  const std::string& directory() const { return directory_; }
  // The socket goes; resumes when nobody is being answered any more.
  runtime::Task<void> close();

  runtime::Task<ctl::Report> report();

 private:
  runtime::Task<ctl::Answer> handle(ctl::Request request, ctl::Progress& progress,
                                    std::shared_ptr<runtime::Cancel> cancel) override;
  runtime::Task<ctl::Answer> list_operations();
  runtime::Task<ctl::Answer> flush(ctl::Progress& progress,
                                   std::shared_ptr<runtime::Cancel> cancel);
  runtime::Task<void> tell_backlog(ctl::Progress& progress, std::shared_ptr<runtime::Cancel> until,
                                   runtime::Gate& gate);
  runtime::Task<std::uint64_t> dirty_bytes();
  ctl::Answer reconnect();
  ctl::Answer drop_caches();
  ctl::Answer set_log_level(const std::string& level);
  ctl::Answer remount(const std::string& words, bool only_check);
  void forget(fs::Inode& inode);
  std::string socket_path(const std::string& mountpoint, const std::string& directory) const;

  runtime::Loop& loop_;
  Config config_;  // a remount changes it
  fs::Shared& shared_;
  const TimePoint begun_;
  fuse::Mount* mount_ = nullptr;
  std::string mountpoint_;
  std::string directory_;  // of the socket
  bool ending_ = false;
  ctl::Server server_;
};

}  // namespace sftpfs::app
