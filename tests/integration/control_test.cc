// sftpfsctl and umount.sftpfs against a real mount.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <nlohmann/json.hpp>
#include <string>

#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/relay.h"
#include "support/temp_dir.h"

namespace sftpfs::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class ControlCommands : public testing::Test {
 protected:
  ControlCommands() : relay_(server_.port()), mount_(server_, through_relay()) {}
  ~ControlCommands() override {
    server_.resume();
    relay_.heal();
  }

  MountOptions through_relay() const {
    MountOptions options;
    options.port = relay_.port();
    // The test's own file must not be kept away by the kernel's knowledge of it.
    options.extra = {"attr_timeout=3600", "entry_timeout=3600", "dcache_timeout=3600",
                     "umount_timeout=2"};
    return options;
  }
  static Outcome ctl(const Arguments& words) {
    Arguments all{SFTPFS_CTL_PROGRAM};
    all.insert(all.end(), words.begin(), words.end());
    ProcessOptions options;
    options.environment = {"SFTPFS_PROGRAM=" + mount_program()};
    return run(all, options, std::chrono::seconds(30));
  }
  nlohmann::json report() {
    const Outcome outcome = ctl({"stats", mount_.path(), "--json"});
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
    const nlohmann::json all = nlohmann::json::parse(outcome.output, nullptr, false);
    return all.is_array() && all.size() == 1 ? all[0] : nlohmann::json::object();
  }
  Outcome umount_helper(const Arguments& words) {
    const std::string link = scratch_.file("umount.sftpfs");
    if (!std::filesystem::exists(link)) {
      std::filesystem::create_symlink(SFTPFS_CTL_PROGRAM, link);
    }
    Arguments all{link};
    all.insert(all.end(), words.begin(), words.end());
    return run(all, {}, std::chrono::seconds(60));
  }
  std::string socket() {
    for (const auto& entry : std::filesystem::directory_iterator("/run/sftpfs")) {
      return entry.path().string();
    }
    return {};
  }

  TempDir scratch_;
  TestServer server_;
  Relay relay_;
  TestMount mount_;
};

TEST_F(ControlCommands, TellWhatTheMountIsDoing) {
  std::ofstream(mount_.file("file")) << "four";
  const Outcome list = ctl({"list"});
  EXPECT_NE(list.output.find(mount_.path()), std::string::npos) << list.describe();
  const Outcome status = ctl({"status", mount_.file("file")});
  EXPECT_NE(status.output.find("state: connected"), std::string::npos) << status.describe();
  const nlohmann::json now = report();
  EXPECT_EQ(now.value("mountpoint", ""), mount_.path());
  EXPECT_EQ(now.value("pid", 0), mount_.daemon_pid());
  EXPECT_EQ(now["counters"].value("bytes_written", 0), 4);
  EXPECT_EQ(now["sessions"][0].value("state", ""), "ready");
  EXPECT_TRUE(ctl({"top", "-n", "2", "-d", "0.1"}).ok());
  const Outcome metrics = ctl({"stats", "--prometheus"});
  EXPECT_NE(metrics.output.find("sftpfs_bytes_written_total{mountpoint=\"" + mount_.path()),
            std::string::npos);
}

TEST_F(ControlCommands, APathOutsideOfEveryMountIsSaidToBe) {
  const Outcome outcome = ctl({"status", "/proc"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.errors.find("not inside a mount"), std::string::npos);
}

TEST_F(ControlCommands, FlushReturnsWhenAllIsOnTheServer) {
  const int fd = ::open(mount_.file("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  relay_.set_bandwidth(2 * kMiB);
  const std::string data(3 * kMiB, 'x');
  ASSERT_EQ(::write(fd, data.data(), data.size()), static_cast<ssize_t>(data.size()));
  const Outcome outcome = ctl({"flush", "--progress", mount_.path()});
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_NE(outcome.output.find("to go"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(server_.root() + "/file"), data.size());
  EXPECT_EQ(report().value("dirty_bytes", 1), 0);
  ::close(fd);
}

// The daemon answers while the server does not, says what waits and for what, and comes back.
TEST_F(ControlCommands, WorkWhileTheServerIsAway) {
  std::ofstream(server_.root() + "/late") << "text";
  relay_.cut(CutMode::kReset);
  relay_.refuse();
  Process reader({"cat", mount_.file("late")});
  const Deadline deadline(std::chrono::seconds(10));
  std::string operations;
  while (operations.find("LOOKUP") == std::string::npos && !deadline.passed()) {
    operations = ctl({"ops", mount_.path()}).output;
  }
  EXPECT_NE(operations.find("LOOKUP"), std::string::npos);
  EXPECT_NE(operations.find(std::to_string(reader.pid())), std::string::npos) << operations;
  const nlohmann::json now = report();
  EXPECT_EQ(now.value("state", ""), "waiting");
  EXPECT_NE(now.value("message", ""), "");
  relay_.heal();
  EXPECT_TRUE(ctl({"reconnect", mount_.path()}).ok());
  const auto ended = reader.wait(Deadline(std::chrono::seconds(10)));
  ASSERT_TRUE(ended && ended->ok());
  EXPECT_EQ(ended->output, "text");
}

// The kernel sends them one after the other to file systems that it does not know to be ready for
// more, and each waits for a round trip.
TEST_F(ControlCommands, LookupsInOneDirectoryAreUnderWayTogether) {
  constexpr int kLookups = 60;
  std::filesystem::create_directory(server_.root() + "/dir");
  for (int i = 0; i < kLookups; ++i) std::ofstream(server_.root() + "/dir/" + std::to_string(i));
  ASSERT_TRUE(std::filesystem::is_directory(mount_.file("dir")));
  server_.stop();
  std::list<Process> askers;
  for (int i = 0; i < kLookups; ++i) {
    askers.emplace_back(Arguments{"stat", mount_.file("dir/" + std::to_string(i))});
  }
  const Deadline deadline(std::chrono::seconds(20));
  int under_way = 0;
  while (under_way < kLookups && !deadline.passed()) {
    under_way = report().value("operations_in_flight", 0);
  }
  server_.resume();
  EXPECT_EQ(under_way, kLookups);
  for (Process& asker : askers) {
    const auto ended = asker.wait(Deadline(std::chrono::seconds(20)));
    EXPECT_TRUE(ended && ended->ok());
  }
}

TEST_F(ControlCommands, ReconnectMakesANewConnection) {
  EXPECT_EQ(report()["sessions"][0].value("connections", 0), 1);
  ASSERT_TRUE(ctl({"reconnect", mount_.path()}).ok());
  std::ofstream(mount_.file("file")) << "text";
  EXPECT_EQ(report()["sessions"][0].value("connections", 0), 2);
}

TEST_F(ControlCommands, DropCachesForgetsListings) {
  const auto names = [this] { return run({"ls", mount_.path()}).output; };
  ASSERT_EQ(names(), "");
  std::ofstream(server_.root() + "/file") << "text";
  ASSERT_EQ(names(), "") << "listings are not cached";
  ASSERT_TRUE(ctl({"drop-caches", mount_.path()}).ok());
  EXPECT_EQ(names(), "file\n");
}

TEST_F(ControlCommands, DropCachesShowsWhatOthersHaveDone) {
  std::ofstream(mount_.file("file")) << "old";
  ASSERT_EQ(std::filesystem::file_size(mount_.file("file")), 3U);
  std::ofstream(server_.root() + "/file") << "newer";
  EXPECT_EQ(std::filesystem::file_size(mount_.file("file")), 3U) << "attributes are not cached";
  ASSERT_TRUE(ctl({"drop-caches", mount_.path()}).ok());
  EXPECT_EQ(std::filesystem::file_size(mount_.file("file")), 5U);
  EXPECT_EQ(run({"cat", mount_.file("file")}).output, "newer");
}

TEST_F(ControlCommands, WrongWordsAreNamedAndCured) {
  const struct {
    Arguments words;
    const char* errors;
  } kCases[] = {
      {{}, "sftpfsctl: a command is missing (see sftpfsctl --help)\n"},
      {{"nonsense"}, "sftpfsctl: there is no command 'nonsense' (see sftpfsctl --help)\n"},
      {{"loglevel", "debug"}, "sftpfsctl: path is required (see sftpfsctl --help)\n"},
      {{"explain"},
       "sftpfsctl: explain what? An errno such as EIO, or a line of the log (see sftpfsctl "
       "--help)\n"},
      {{"explain", "ENOTHING"},
       "sftpfsctl: nothing is known of 'ENOTHING'; give an errno such as EIO or 5, or a line of "
       "the log\n"},
  };
  for (const auto& each : kCases) {
    const Outcome outcome = ctl(each.words);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.errors, each.errors);
  }
}

TEST_F(ControlCommands, ADaemonThatWasKilledIsNamedAsTheCause) {
  mount_.send_signal(SIGKILL);
  const UniqueFd pidfd = open_pidfd(mount_.daemon_pid());
  if (pidfd) {
    ASSERT_TRUE(wait_exit(pidfd.get(), Deadline(std::chrono::seconds(10))));
  }
  const Outcome outcome = ctl({"status", mount_.path()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.errors.find("has ended without unmounting"), std::string::npos)
      << outcome.describe();
  const Outcome list = ctl({"list"});
  EXPECT_NE(list.output.find(" dead "), std::string::npos) << list.describe();
  EXPECT_TRUE(run({"umount", mount_.path()}).ok());
  EXPECT_EQ(mount_.wait_gone(), "");
}

TEST_F(ControlCommands, LogLevelChangesAtOnce) {
  ASSERT_TRUE(ctl({"loglevel", "debug", mount_.path()}).ok());
  EXPECT_NE(mount_.log().find("log level debug"), std::string::npos);
  EXPECT_EQ(ctl({"loglevel", "loud", mount_.path()}).exit_code, 1);
}

TEST_F(ControlCommands, RemountChangesTheLogLevelOfTheDaemon) {
  const Outcome outcome = run({mount_program(), server_.source(server_.root()), mount_.path(), "-o",
                               "remount,rw,log_level=debug"});
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_NE(mount_.log().find("remounted with log_level=debug"), std::string::npos);
}

// Another user is not let in; root's own rubbish does not disturb the mount.
TEST_F(ControlCommands, StrangersAndRubbishDoNoHarm) {
  const std::string path = socket();
  ASSERT_NE(path, "");
  const auto knock = [path] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int rc =
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    return rc == 0 ? std::string("let in") : std::string(std::strerror(errno));
  };
  EXPECT_EQ(run_in_child(knock, uid_t{65534}), "Permission denied");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(knock(), "let in");
  std::ofstream(mount_.file("file")) << "text";
  EXPECT_EQ(report().value("state", ""), "connected");
}

TEST_F(ControlCommands, UmountHelperWaitsForTheDataAndTheDaemon) {
  {
    const int fd = ::open(mount_.file("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::write(fd, "text", 4), 4);
    ::close(fd);
  }
  const Outcome outcome = umount_helper({mount_.path(), "-v", "-t", "fuse.sftpfs"});
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_FALSE(mount_at(mount_.path()));
  EXPECT_EQ(mount_.wait_gone(std::chrono::milliseconds(1000)), "");
  EXPECT_EQ(socket(), "");
}

// Not longer than umount_timeout, which this mount has set to two seconds.
TEST_F(ControlCommands, UmountHelperGivesUpWhenItsTimeIsOver) {
  relay_.set_bandwidth(kMiB / 2);
  // Another process: with a descriptor of ours even starting the helper would wait for the data.
  Process writer({"dd", "if=/dev/zero", "of=" + mount_.file("file"), "bs=3M", "count=1"});
  const Deadline deadline(std::chrono::seconds(10));
  while (report().value("dirty_bytes", 0) == 0 && !deadline.passed()) {
  }
  const Outcome outcome = umount_helper({mount_.path()});
  EXPECT_EQ(outcome.exit_code, 32) << outcome.describe();
  EXPECT_NE(outcome.errors.find("are not on the server yet"), std::string::npos)
      << outcome.describe();
  EXPECT_GE(outcome.elapsed, std::chrono::milliseconds(1900));
  EXPECT_LT(outcome.elapsed, std::chrono::seconds(15));
  relay_.set_bandwidth(0);
  EXPECT_TRUE(writer.wait(Deadline(std::chrono::seconds(30))));
}

TEST_F(ControlCommands, UmountHelperNamesAMountThatIsBusy) {
  const int fd = ::open(mount_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Outcome outcome = umount_helper({mount_.path()});
  EXPECT_EQ(outcome.exit_code, 32);
  EXPECT_NE(outcome.errors.find("busy"), std::string::npos) << outcome.describe();
  ::close(fd);
}

TEST_F(ControlCommands, FstabPrintsALineOnlyForAServerThatAnswers) {
  const std::string words = join_words(mount_words(server_, {}));
  const Outcome good = ctl({"fstab", server_.source(server_.root()), "/mnt/x", "-o", words});
  EXPECT_TRUE(good.ok()) << good.describe();
  EXPECT_NE(good.output.find(server_.source(server_.root()) + " /mnt/x sftpfs _netdev,nofail"),
            std::string::npos);
  EXPECT_NE(good.output.find("mnt-x.mount"), std::string::npos);
  const std::string missing = server_.root() + "/missing";
  const Outcome bad = ctl({"fstab", server_.source(missing), "/mnt/x", "-o", words});
  EXPECT_EQ(bad.exit_code, 32);
  EXPECT_EQ(bad.output, "");
  EXPECT_NE(bad.errors.find(missing), std::string::npos);
}

}  // namespace
}  // namespace sftpfs::test
