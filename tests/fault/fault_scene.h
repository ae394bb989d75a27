// FaultScene: a server, a relay in front of it, a mount through the relay, and ways to break it.
//
//   mount ──► relay (cuts, swallows) ──► sshd ──► sftp-server
//                                        └ killed ┴ stopped
//
// Ownership: owns all four; they end with it.
// Threads:   one thread per object. Faults that wait for a byte strike on the relay's thread.
// Limits:    the mount gives a silent server up after 2 to 3 seconds (kDetection), so that tests
//            of black holes do not take a minute each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/deadline.h"
#include "support/mount_config.h"
#include "support/relay.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

enum class FaultKind { kReset, kClose, kBlackHole, kKillSshd, kKillSftpServer };

// "reset", "close", "black_hole", "kill_sshd", "kill_sftp_server"
const char* fault_kind_name(FaultKind kind);
const std::vector<FaultKind>& all_fault_kinds();

// One mount of each transport, each with several sessions.
std::vector<MountConfig> fault_configs();

// True when SFTPFS_FAULT_FULL is set to 1: many points and full sizes, which takes hours.
bool full_run();
// The seed of a run: SFTPFS_FAULT_SEED, or always the same.
std::uint64_t fault_seed();

// How long anything may take that has no limit of its own in a test.
constexpr std::chrono::seconds kPatience{60};
// The mount has noticed a silent server by then.
constexpr std::chrono::seconds kDetection{3};

struct SceneOptions {
  MountConfig config;
  std::vector<std::string> extra;  // -o words
  bool daemon = false;
};

class FaultScene {
 public:
  explicit FaultScene(const SceneOptions& options);
  // Puts the network and the server right first, so that a test that failed half-way ends quickly.
  ~FaultScene();
  FaultScene(const FaultScene&) = delete;
  FaultScene& operator=(const FaultScene&) = delete;

  TestServer& server() { return server_; }
  Relay& relay() { return *relay_; }
  TestMount& mount() { return *mount_; }
  std::string on_mount(const std::string& name) const { return mount_->file(name); }
  std::string on_server(const std::string& name) const { return server_.root() + "/" + name; }
  // Ends the mount and makes it anew, with these -o words in addition.
  void mount_again(const std::vector<std::string>& more = {});
  // As the scene's own mount was made; for a second one.
  MountOptions mount_options() const;

  // Breaks the connections now.
  void strike(FaultKind kind);
  // Breaks the connection that delivers byte number `count`, counted from now.
  void strike_at(FaultKind kind, Direction direction, std::uint64_t count);
  // After a black hole: waits until the mount has given its connections up and tries new ones, then
  // lets everything through again. `deliver`: what was swallowed arrives late; otherwise it is
  // lost.
  bool heal_after_detection(bool deliver);

  // Waits until the mount answers a question that only the server can answer; how long that took.
  std::optional<std::chrono::milliseconds> wait_answer(std::chrono::milliseconds patience);
  // Waits until the log of the mount contains `text`.
  bool wait_log(const std::string& text, const Deadline& deadline) const;

 private:
  TestServer server_;
  std::unique_ptr<Relay> relay_;
  SceneOptions options_;
  std::unique_ptr<TestMount> mount_;
};

// Contents that differ at each place, the same for the same seed.
std::string noise(std::size_t size, std::uint64_t seed);
void write_file(const std::string& path, const std::string& contents);
// Throws when the file cannot be read: for the server's side only.
std::string read_file(const std::string& path);

}  // namespace sftpfs::test
