// How a mount ends: by umount, fusermount3, a signal, SIGKILL, with a server that does not answer;
// and that nothing is left then. Memory is checked by valgrind.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/net.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::seconds kSoon{10};
constexpr std::chrono::seconds kTeardownLimit{2};

class Lifecycle : public testing::TestWithParam<MountConfig> {
 protected:
  std::unique_ptr<TestMount> start(bool daemon) const {
    MountOptions options;
    options.config = GetParam();
    options.daemon = daemon;
    auto mount = std::make_unique<TestMount>(server_, options);
    // Some life in it: an open session or several, cached names and contents.
    std::ofstream(mount->file("file")) << "text\n";
    EXPECT_EQ(run({"cat", mount->file("file")}).output, "text\n");
    return mount;
  }

  // The server has no session and the machine no connection any more.
  void expect_no_connection() const {
    EXPECT_TRUE(server_.wait_session_count(0, Deadline(kSoon))) << server_.log();
    EXPECT_EQ(connections_with_port(server_.port()), 0);
  }

  mutable TestServer server_;
};
INSTANTIATE_ON_ALL_MOUNTS(Lifecycle);

TEST_P(Lifecycle, UmountLeavesNothing) {
  for (const bool daemon : {false, true}) {
    const auto mount = start(daemon);
    must_run({"umount", mount->path()});
    EXPECT_EQ(mount->wait_gone(), "") << mount->log();
    expect_no_connection();
  }
}

TEST_P(Lifecycle, Fusermount3LeavesNothing) {
  for (const bool daemon : {false, true}) {
    const auto mount = start(daemon);
    must_run({"fusermount3", "-u", mount->path()});
    EXPECT_EQ(mount->wait_gone(), "") << mount->log();
    expect_no_connection();
  }
}

TEST_P(Lifecycle, SignalsEndTheMountCleanly) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const auto mount = start(false);
    mount->send_signal(signal);
    EXPECT_EQ(mount->wait_gone(), "") << "signal " << signal << "\n" << mount->log();
    const auto outcome = mount->outcome();
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->ok()) << "signal " << signal << ": " << outcome->describe();
    expect_no_connection();
  }
  const auto daemon = start(true);
  daemon->send_signal(SIGTERM);
  EXPECT_EQ(daemon->wait_gone(), "");
  expect_no_connection();
}

TEST_P(Lifecycle, SigtermStoresWhatWasWritten) {
  const auto mount = start(false);
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + ' ';
  {
    const UniqueFd fd(::open(mount->file("data").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    mount->send_signal(SIGTERM);
  }
  EXPECT_EQ(mount->wait_gone(), "") << mount->log();
  std::ifstream stored(server_.root() + "/data");
  const std::string arrived(std::istreambuf_iterator<char>(stored), {});
  EXPECT_EQ(arrived.size(), text.size());
  EXPECT_TRUE(arrived == text);
}

TEST_P(Lifecycle, AKilledDaemonCanBeMountedOver) {
  const auto killed = start(true);
  killed->send_signal(SIGKILL);
  // The kernel keeps the mount of a dead daemon until somebody unmounts it.
  const UniqueFd pidfd = open_pidfd(killed->daemon_pid());
  if (pidfd) {
    EXPECT_TRUE(wait_exit(pidfd.get(), Deadline(kSoon)));
  }
  EXPECT_NE(run({"stat", killed->path()}).exit_code, 0);
  must_run({"umount", killed->path()});
  EXPECT_EQ(killed->wait_gone(), "");
  expect_no_connection();

  MountOptions options;
  options.config = GetParam();
  options.mount_point = killed->path();
  TestMount again(server_, options);
  EXPECT_EQ(run({"cat", again.file("file")}).output, "text\n");
  EXPECT_EQ(again.unmount(), "") << again.log();
}

TEST_P(Lifecycle, ABusyMountIsNotTornDown) {
  const auto mount = start(false);
  {
    const UniqueFd busy(::open(mount->file("file").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_NE(run({"umount", mount->path()}).exit_code, 0);
    EXPECT_EQ(run({"cat", mount->file("file")}).output, "text\n");
  }
  EXPECT_EQ(mount->unmount(), "") << mount->log();
}

TEST_P(Lifecycle, MountingTwiceAtOnceWorks) {
  const auto first = start(false);
  const auto second = start(false);
  std::ofstream(first->file("shared")) << "from the first\n";
  EXPECT_EQ(run({"cat", second->file("shared")}).output, "from the first\n");
  EXPECT_EQ(second->unmount(), "");
  EXPECT_EQ(run({"cat", first->file("file")}).output, "text\n");
  EXPECT_EQ(first->unmount(), "");
}

class Teardown : public Lifecycle {
 protected:
  // The server is frozen; `end` must then bring the mount down in time.
  template <class End>
  void expect_quick(End end) {
    const auto mount = start(false);
    server_.stop();
    const auto begin = Deadline::Clock::now();
    end(*mount);
    const std::string left = mount->wait_gone(kTeardownLimit);
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - begin);
    server_.resume();
    EXPECT_EQ(left, "") << mount->log();
    EXPECT_LE(took, kTeardownLimit * time_factor());
  }
};
INSTANTIATE_ON_ALL_MOUNTS(Teardown);

TEST_P(Teardown, OfAStoppedServerBySignal) {
  expect_quick([](TestMount& mount) { mount.send_signal(SIGTERM); });
}

TEST_P(Teardown, OfAStoppedServerByUmount) {
  expect_quick([](TestMount& mount) { ::umount2(mount.path().c_str(), 0); });
}

TEST_P(Teardown, OfAStoppedServerWithAWaitingReader) {
  std::unique_ptr<Process> reader;
  expect_quick([&](TestMount& mount) {
    std::ofstream(server_.root() + "/unread") << std::string(100'000, 'x');
    reader = std::make_unique<Process>(Arguments{"cat", mount.file("unread")});
    // It waits once it has asked the daemon for the name or its contents.
    wait_exit(reader->pidfd(), Deadline(std::chrono::milliseconds(200)));
    mount.send_signal(SIGTERM);
  });
  EXPECT_TRUE(reader->wait(Deadline(kSoon)).has_value());
}

class Memory : public Lifecycle {};
INSTANTIATE_ON_ALL_MOUNTS(Memory);

TEST_P(Memory, ValgrindFindsNothing) {
  MountOptions options;
  options.config = GetParam();
  // valgrind's own calls would have to pass the filter.
  options.extra = {"sandbox=no"};
  options.wrapper = {"valgrind",
                     "-q",
                     "--leak-check=full",
                     "--show-leak-kinds=definite",
                     "--errors-for-leak-kinds=definite",
                     "--error-exitcode=99"};
  TestMount mount(server_, options);
  must_run({"cp", "-r", "/usr/include/linux/can", mount.file("tree")});
  must_run({"diff", "-r", "/usr/include/linux/can", mount.file("tree")});
  must_run({"cp", "/usr/bin/git", mount.file("git")});
  must_run({"cmp", "/usr/bin/git", mount.file("git")});
  must_run({"rm", "-r", mount.file("tree")});
  EXPECT_EQ(mount.unmount(std::chrono::seconds(30)), "") << mount.log();
  const auto outcome = mount.outcome();
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->ok()) << outcome->describe();
}

}  // namespace
}  // namespace sftpfs::test
