// See fault_scene.h.
#include "fault/fault_scene.h"

#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "support/process.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr const char* kSftpServer = "/usr/lib/openssh/sftp-server";
constexpr std::uint64_t kDefaultSeed = 20'240'601;
constexpr const char* kProbe = ".probe";
constexpr int kLookAgainMs = 5;

ServerOptions server_options() {
  ServerOptions options;
  // A programme of its own, so that it can be killed without sshd.
  options.sftp_subsystem = kSftpServer;
  // Connections that were swallowed before they had logged in must not pile up.
  // And what the user's shell does when it starts is no matter of ours.
  options.config = {"LoginGraceTime 20", "SetEnv HOME=/nonexistent"};
  return options;
}

}  // namespace

const char* fault_kind_name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kReset: return "reset";
    case FaultKind::kClose: return "close";
    case FaultKind::kBlackHole: return "black_hole";
    case FaultKind::kKillSshd: return "kill_sshd";
    case FaultKind::kKillSftpServer: return "kill_sftp_server";
  }
  return "";
}

const std::vector<FaultKind>& all_fault_kinds() {
  static const std::vector<FaultKind> kinds{FaultKind::kReset, FaultKind::kClose,
                                            FaultKind::kBlackHole, FaultKind::kKillSshd,
                                            FaultKind::kKillSftpServer};
  return kinds;
}

std::vector<MountConfig> fault_configs() { return {{"libssh2", 2, 4, true}, {"ssh", 1, 4, true}}; }

bool full_run() {
  const char* text = std::getenv("SFTPFS_FAULT_FULL");
  return text != nullptr && std::string(text) == "1";
}

std::uint64_t fault_seed() {
  const char* text = std::getenv("SFTPFS_FAULT_SEED");
  return text == nullptr ? kDefaultSeed : std::strtoull(text, nullptr, 10);
}

FaultScene::FaultScene(const SceneOptions& options)
    : server_(server_options()),
      relay_(std::make_unique<Relay>(server_.port())),
      options_(options),
      mount_(std::make_unique<TestMount>(server_, mount_options())) {
  write_file(on_server(kProbe), "");
}

FaultScene::~FaultScene() {
  server_.resume();
  relay_->cancel_cut();
  relay_->cut(CutMode::kReset);
  relay_->heal();
}

MountOptions FaultScene::mount_options() const {
  MountOptions options;
  options.config = options_.config;
  options.port = relay_->port();
  options.daemon = options_.daemon;
  options.extra = {"ServerAliveInterval=1", "ServerAliveCountMax=2", "ConnectTimeout=3"};
  options.extra.insert(options.extra.end(), options_.extra.begin(), options_.extra.end());
  return options;
}

void FaultScene::mount_again(const std::vector<std::string>& more) {
  mount_.reset();
  MountOptions options = mount_options();
  options.extra.insert(options.extra.end(), more.begin(), more.end());
  mount_ = std::make_unique<TestMount>(server_, options);
}

void FaultScene::strike(FaultKind kind) {
  switch (kind) {
    case FaultKind::kReset: return relay_->cut(CutMode::kReset);
    case FaultKind::kClose: return relay_->cut(CutMode::kClose);
    case FaultKind::kBlackHole: return relay_->cut(CutMode::kBlackHole);
    case FaultKind::kKillSshd: return server_.kill_connections();
    case FaultKind::kKillSftpServer: return server_.kill_sftp_servers();
  }
}

void FaultScene::strike_at(FaultKind kind, Direction direction, std::uint64_t count) {
  switch (kind) {
    case FaultKind::kReset: return relay_->cut_at(direction, count, CutMode::kReset);
    case FaultKind::kClose: return relay_->cut_at(direction, count, CutMode::kClose);
    case FaultKind::kBlackHole: return relay_->cut_at(direction, count, CutMode::kBlackHole);
    case FaultKind::kKillSshd:
      return relay_->call_at(direction, count, [this] { server_.kill_connections(); });
    case FaultKind::kKillSftpServer:
      return relay_->call_at(direction, count, [this] { server_.kill_sftp_servers(); });
  }
}

bool FaultScene::heal_after_detection(bool deliver) {
  const std::uint64_t before = relay_->stats().connections;
  const bool tried =
      relay_->wait_stats([before](const RelayStats& stats) { return stats.connections > before; },
                         Deadline(kPatience));
  if (!deliver) relay_->cut(CutMode::kReset);
  relay_->heal();
  return tried;
}

std::optional<std::chrono::milliseconds> FaultScene::wait_answer(
    std::chrono::milliseconds patience) {
  // Only the server can open a file.
  const Outcome outcome = run({"cat", on_mount(kProbe)}, {}, patience);
  if (!outcome.ok()) return std::nullopt;
  return outcome.elapsed;
}

bool FaultScene::wait_log(const std::string& text, const Deadline& deadline) const {
  const UniqueFd daemon = open_pidfd(mount_->daemon_pid());
  while (mount_->log().find(text) == std::string::npos) {
    if (deadline.passed()) return false;
    // What a daemon that has ended has not said, it will not say.
    const Deadline slice{std::chrono::milliseconds(kLookAgainMs)};
    if (!daemon || wait_exit(daemon.get(), slice)) {
      return mount_->log().find(text) != std::string::npos;
    }
  }
  return true;
}

std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  text.reserve(size + sizeof(std::uint64_t));
  while (text.size() < size) {
    const std::uint64_t word = random();
    for (std::size_t i = 0; i < sizeof word; ++i) {
      text.push_back(static_cast<char>((word >> (8 * i)) & 0xff));
    }
  }
  text.resize(size);
  return text;
}

void write_file(const std::string& path, const std::string& contents) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  if (!file) throw TestError("cannot write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw TestError("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sftpfs::test
