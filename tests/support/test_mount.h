// TestMount: a mounted directory of a TestServer, and the programme that serves it.
//
// Ownership: the object owns the mount and the mount programme with its children. The destructor
//            unmounts, and the test fails when a process, a mount or a run-time file is left.
// Threads:   one thread per object.
// Limits:    the programme is the one of this build; SFTPFS_TEST_MOUNT_PROGRAM names another with
//            sshfs's command line (options sshfs does not know are then left out).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/mount_config.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/test_server.h"

namespace sftpfs::test {

struct MountOptions {
  MountConfig config;
  std::vector<std::string> extra;    // more -o words, which win over ours: "cache_size=512K"
  std::string remote_dir;            // empty: the server's root()
  std::string mount_point;           // empty: a directory of the object's own
  std::uint16_t port = 0;            // 0: the server's own; else a relay's
  bool daemon = false;               // let it become a daemon instead of running it with -f
  std::vector<std::string> wrapper;  // what runs the programme: {"valgrind", "-q"}
  std::optional<uid_t> user;         // who mounts; default: who runs the test
  std::string identity_file;         // empty: the server's ed25519 user key
};

// The programme under test.
std::string mount_program();
// True when it is not sftpfs, so that what only sftpfs promises cannot be tested.
bool mount_program_is_foreign();
// The "-o" words for `server`, as TestMount passes them.
std::vector<std::string> mount_words(const TestServer& server, const MountOptions& options);
std::string join_words(const std::vector<std::string>& words);

class TestMount {
 public:
  // Returns when the mount answers; throws TestError with the programme's own words otherwise.
  explicit TestMount(const TestServer& server, const MountOptions& options = {});
  ~TestMount();
  TestMount(const TestMount&) = delete;
  TestMount& operator=(const TestMount&) = delete;

  const std::string& path() const { return mount_point_; }
  std::string file(const std::string& name) const { return mount_point_ + "/" + name; }
  // The process that serves the mount.
  pid_t daemon_pid() const { return daemon_pid_; }
  // What the programme has written to standard error so far (foreground only).
  std::string log() const;
  // Counter `name` of the statistics that the daemon logs on SIGUSR1 ("stats: cache_busy=7");
  // empty when it does not appear in time. Foreground only.
  std::optional<std::uint64_t> counter(const std::string& name) const;
  void send_signal(int number) const;

  // How the mount may end. Each returns an empty string when within the deadline nothing is left,
  // and otherwise says what is.
  std::string unmount(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Waits for the end of a mount that something else has ended.
  std::string wait_gone(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // The daemon's own exit status (foreground only), once it has ended.
  std::optional<Outcome> outcome();

 private:
  void start(const TestServer& server, const MountOptions& options);
  std::string copy_of_program();
  void wait_until_it_answers();
  std::string leftovers(const Deadline& deadline);
  std::string run_dir() const { return directory_.file("run"); }

  TempDir directory_;
  std::string mount_point_;
  std::string mark_;  // an environment entry that the daemon and its children carry
  std::unique_ptr<Process> program_;
  pid_t daemon_pid_ = -1;
  UniqueFd daemon_;
  bool foreground_ = true;
  bool ended_ = false;
};

}  // namespace sftpfs::test
