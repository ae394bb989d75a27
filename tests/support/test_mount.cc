// See test_mount.h.
#include "support/test_mount.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "support/mounts.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::chrono::seconds kMountTimeout{20};
constexpr std::chrono::seconds kAnswerTimeout{10};
constexpr int kPollMs = 2;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// sshfs has neither workers nor a transport nor a block cache.
bool only_ours(const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  return name == "transport" || name == "workers" || name == "cache_size";
}

ProcessOptions program_options(const std::string& mark, const std::string& run_dir,
                               const MountOptions& options) {
  ProcessOptions result;
  // Nothing of the user who runs the tests may leak in, and what the programme leaves in its
  // run-time directories is to be seen.
  result.environment = {mark,
                        "HOME=" + run_dir,
                        "TMPDIR=" + run_dir,
                        "XDG_RUNTIME_DIR=" + run_dir,
                        "SSH_AUTH_SOCK",
                        "SSH_ASKPASS",
                        "DISPLAY"};
  result.user = options.user;
  result.own_session = true;
  return result;
}

std::optional<std::uint64_t> find_counter(const std::string& log, const std::string& name) {
  const std::string wanted = " " + name + "=";
  const std::size_t line = log.rfind("stats:");
  const std::size_t at = line == std::string::npos ? line : log.rfind(wanted);
  if (at == std::string::npos) return std::nullopt;
  return std::stoull(log.substr(at + wanted.size()));
}

}  // namespace

std::string mount_program() {
  const char* chosen = std::getenv("SFTPFS_TEST_MOUNT_PROGRAM");
  return chosen == nullptr ? SFTPFS_PROGRAM : chosen;
}

bool mount_program_is_foreign() { return base_name(mount_program()) != "sftpfs"; }

std::vector<std::string> mount_words(const TestServer& server, const MountOptions& options) {
  const std::uint16_t port = options.port == 0 ? server.port() : options.port;
  const MountConfig& config = options.config;
  std::vector<std::string> words{
      "port=" + std::to_string(port),
      "IdentityFile=" + (options.identity_file.empty() ? server.user_key() : options.identity_file),
      "UserKnownHostsFile=" + server.known_hosts(port),
      "StrictHostKeyChecking=yes",
      "transport=" + config.transport,
      "workers=" + std::to_string(config.workers),
      "max_conns=" + std::to_string(config.max_conns)};
  if (config.ahead) words.emplace_back("durability=fsync");
  if (config.shared) words.insert(words.end(), {"default_permissions", "allow_other"});
  words.insert(words.end(), options.extra.begin(), options.extra.end());
  if (mount_program_is_foreign()) std::erase_if(words, only_ours);
  return words;
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

TestMount::TestMount(const TestServer& server, const MountOptions& options)
    : mount_point_(options.mount_point), foreground_(!options.daemon) {
  if (mount_point_.empty()) mount_point_ = directory_.make_dir("mnt");
  must(::mkdir(run_dir().c_str(), 0700), "mkdir");
  if (options.user) {
    must(::chown(mount_point_.c_str(), *options.user, *options.user), "chown");
    must(::chown(run_dir().c_str(), *options.user, *options.user), "chown");
  }
  mark_ = "SFTPFS_TEST_MOUNT=" + directory_.path();
  start(server, options);
  try {
    wait_until_it_answers();
  } catch (const TestError&) {
    // The destructor does not run after this: leave nothing behind.
    detach_below(mount_point_);
    program_->kill();
    throw;
  }
}

void TestMount::start(const TestServer& server, const MountOptions& options) {
  Arguments arguments = options.wrapper;
  const std::string dir = options.remote_dir.empty() ? server.root() : options.remote_dir;
  const std::string program = options.user ? copy_of_program() : mount_program();
  arguments.insert(arguments.end(), {program, server.source(dir), mount_point_, "-o",
                                     join_words(mount_words(server, options))});
  if (foreground_) arguments.push_back("-f");
  program_ = std::make_unique<Process>(arguments, program_options(mark_, run_dir(), options));
}

// Another user cannot enter every directory that somebody builds in.
std::string TestMount::copy_of_program() {
  const std::string copy = directory_.make_dir("program") + "/" + base_name(mount_program());
  std::filesystem::copy_file(mount_program(), copy);
  return copy;
}

void TestMount::wait_until_it_answers() {
  const Deadline deadline{kMountTimeout};
  if (!foreground_) {
    const auto outcome = program_->wait(deadline);
    if (!outcome || !outcome->ok()) {
      throw TestError(mount_program() + (outcome ? ": " + outcome->describe()
                                                 : std::string(" does not become a daemon")));
    }
  }
  if (!wait_mounted(mount_point_, deadline, foreground_ ? program_->pidfd() : -1)) {
    throw TestError(mount_program() + " did not mount " + mount_point_ + ":\n" + log());
  }
  // A stat() could wait for ever for a daemon that does not serve, so a child asks.
  const Outcome answer = run({"stat", "-f", "-c", "%T", mount_point_}, {}, kAnswerTimeout);
  if (!answer.ok()) throw TestError("the mount does not answer: " + answer.describe());
  if (foreground_) {
    daemon_pid_ = program_->pid();
  } else {
    for (const pid_t pid : processes_with_environment(mark_)) {
      const std::string command = describe_process(pid);
      // The process that only unmounts has the daemon's command line.
      if (process_name(pid) == "sftpfs-unmount") continue;
      if (command.find(mount_point_) != std::string::npos) daemon_pid_ = pid;
    }
    if (daemon_pid_ < 0) throw TestError("no daemon serves " + mount_point_);
  }
  daemon_ = open_pidfd(daemon_pid_);
}

TestMount::~TestMount() {
  if (!ended_) {
    const std::string left = unmount();
    if (!left.empty()) ADD_FAILURE() << left << "\nlog:\n" << log();
  }
}

std::string TestMount::log() const { return program_->errors() + program_->output(); }

std::optional<std::uint64_t> TestMount::counter(const std::string& name) const {
  const std::size_t logged_before = log().size();
  send_signal(SIGUSR1);
  const Deadline deadline{std::chrono::seconds(5)};
  while (!deadline.passed()) {
    if (const auto value = find_counter(log().substr(logged_before), name)) return value;
    if (wait_exit(daemon_.get(), Deadline(std::chrono::milliseconds(kPollMs)))) break;
  }
  return std::nullopt;
}

void TestMount::send_signal(int number) const { ::kill(daemon_pid_, number); }

std::string TestMount::unmount(std::chrono::milliseconds timeout) {
  const Deadline deadline(timeout);
  // A process that was just killed may keep the mount busy for a moment.
  while (::umount2(mount_point_.c_str(), UMOUNT_NOFOLLOW) != 0) {
    if (errno == EBUSY && !deadline.passed()) {
      if (wait_exit(daemon_.get(), Deadline(std::chrono::milliseconds(kPollMs)))) break;
      continue;
    }
    if (errno == EPERM) run({"fusermount3", "-u", "-z", mount_point_});
    break;
  }
  return leftovers(deadline);
}

std::string TestMount::wait_gone(std::chrono::milliseconds timeout) {
  return leftovers(Deadline(timeout));
}

std::string TestMount::leftovers(const Deadline& deadline) {
  ended_ = true;
  std::string left;
  if (!wait_unmounted(mount_point_, deadline)) {
    left += "still mounted: " + mount_point_ + "\n";
    detach_below(mount_point_);
  }
  if (!wait_exit(daemon_.get(), deadline)) {
    left += "the daemon still runs: " + describe_process(daemon_pid_) + "\n";
    ::kill(daemon_pid_, SIGKILL);
  }
  const std::vector<pid_t> others = wait_environment_gone(mark_, deadline);
  if (!others.empty()) left += "processes left:" + describe_processes(others) + "\n";
  for (const pid_t pid : others) ::kill(pid, SIGKILL);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run_dir())) {
    left += "left in the run-time directory: " + entry.path().string() + "\n";
  }
  if (foreground_) program_->wait(deadline);
  return left;
}

std::optional<Outcome> TestMount::outcome() {
  return program_->wait(Deadline(std::chrono::milliseconds(0)));
}

}  // namespace sftpfs::test
