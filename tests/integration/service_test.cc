// What fstab, boots and service managers need: trying again, mounting first, readiness, signs of
// life, credentials, rights given up.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "integration/helper_scene.h"
#include "integration/mounted_test.h"
#include "support/mounts.h"
#include "support/net.h"
#include "support/process_table.h"
#include "support/relay.h"

namespace sftpfs::test {
namespace {

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return line.substr(line.find_last_of(" \t") + 1);
  }
  return {};
}

// The place of a service manager: a datagram socket.
class Manager {
 public:
  explicit Manager(const std::string& path)
      : path_(path), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    const timeval patience{10, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Manager() { ::unlink(path_.c_str()); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  bool has_more() const {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
  }
  // Everything told until `word` comes; what has been told so far if it does not.
  std::string wait_for(const std::string& word) {
    std::string told;
    std::array<char, 4096> buffer{};
    while (told.find(word) == std::string::npos) {
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return told;
      told.append(buffer.data(), static_cast<std::size_t>(got)).push_back('\n');
    }
    return told;
  }

 private:
  std::string path_;
  UniqueFd socket_;
};

// Variables that the programme under test inherits from us.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(ServiceManager, IsToldReadyStatusSignsOfLifeAndTheEnd) {
  const TempDir directory;
  Manager manager(directory.file("notify"));
  TestServer server;
  const Variable notify("NOTIFY_SOCKET", directory.file("notify"));
  const Variable watchdog("WATCHDOG_USEC", "600000");
  TestMount mount(server);
  const std::string begun = manager.wait_for("WATCHDOG=1");
  EXPECT_NE(begun.find("READY=1"), std::string::npos) << begun;
  EXPECT_NE(begun.find("STATUS=connected"), std::string::npos) << begun;
  EXPECT_NE(manager.wait_for("WATCHDOG=1"), "") << "one sign of life only";
  server.kill_all();
  EXPECT_NE(manager.wait_for("STATUS=waiting").find("STATUS=waiting"), std::string::npos);
  server.start_again();
  EXPECT_EQ(mount.unmount(), "");
  const std::string ended = manager.wait_for("STOPPING=1");
  EXPECT_NE(ended.find("STOPPING=1"), std::string::npos) << ended;
}

TEST(ServiceManager, IsToldNothingByADaemonThatLeftItsProcess) {
  const TempDir directory;
  Manager manager(directory.file("notify"));
  TestServer server;
  {
    const Variable notify("NOTIFY_SOCKET", directory.file("notify"));
    MountOptions options;
    options.daemon = true;
    TestMount mount(server, options);
    EXPECT_EQ(mount.unmount(), "");
  }
  EXPECT_FALSE(manager.has_more());
}

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> threads;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    threads.push_back(std::stoi(thread.path().filename().string()));
  }
  return threads;
}

// no_new_privs, a filter of system calls, and of root's capabilities only IPC_LOCK, DAC_READ_SEARCH
// and DAC_OVERRIDE: in every thread. The filter comes last, a moment after the mount answers.
void expect_sandboxed(pid_t daemon, const std::string& capabilities) {
  const Deadline deadline(std::chrono::seconds(10));
  while (status_line(daemon, "Seccomp") != "2" && !deadline.passed()) {
    ::poll(nullptr, 0, deadline.slice_ms(5));
  }
  for (const pid_t thread : threads_of(daemon)) {
    EXPECT_EQ(status_line(thread, "NoNewPrivs"), "1");
    EXPECT_EQ(status_line(thread, "Seccomp"), "2");
    EXPECT_EQ(status_line(thread, "CapEff"), capabilities);
    EXPECT_EQ(status_line(thread, "CapPrm"), capabilities);
  }
}

TEST(Rights, RootsDaemonKeepsOnlyWhatItNeeds) {
  TestServer server;
  TestMount mount(server);
  expect_sandboxed(mount.daemon_pid(), "0000000000004006");
  // It can get CAP_SYS_ADMIN back from nowhere.
  EXPECT_EQ(status_line(mount.daemon_pid(), "CapBnd"), "0000000000204006");
  // All of its threads, and after a reconnection too.
  server.kill_sessions();
  std::ofstream(mount.file("file")) << "text";
  EXPECT_EQ(run({"cat", server.root() + "/file"}).output, "text");
  expect_sandboxed(mount.daemon_pid(), "0000000000004006");
  EXPECT_EQ(mount.unmount(), "") << mount.log();
}

TEST(Rights, AreGivenUpByALazyMountOnceItIsConnected) {
  TestServer server;
  MountOptions options;
  options.extra = {"lazy_connect"};
  TestMount mount(server, options);
  std::ofstream(mount.file("file")) << "text";
  const Deadline deadline(std::chrono::seconds(10));
  while (status_line(mount.daemon_pid(), "Seccomp") != "2" && !deadline.passed()) {
    ASSERT_TRUE(std::filesystem::exists(mount.file("file")));
  }
  expect_sandboxed(mount.daemon_pid(), "0000000000004006");
}

TEST(Rights, AMountWhoseFilesAreOpenIsTakenAwayAllTheSame) {
  TestServer server;
  TestMount mount(server);
  std::ofstream(server.root() + "/file") << "text";
  std::ifstream open(mount.file("file"));
  ASSERT_TRUE(open);
  mount.send_signal(SIGTERM);
  EXPECT_EQ(mount.wait_gone(), "") << mount.log();
}

TEST(Rights, AreKeptWhereChildrenNeedThem) {
  TestServer server;
  MountOptions options;
  options.config.transport = "ssh";
  TestMount mount(server, options);
  EXPECT_EQ(status_line(mount.daemon_pid(), "NoNewPrivs"), "0");
  EXPECT_EQ(status_line(mount.daemon_pid(), "Seccomp"), "0");
}

TEST(Rights, AreKeptWhereTheUserWantsThat) {
  TestServer server;
  MountOptions options;
  options.extra = {"sandbox=no"};
  TestMount mount(server, options);
  EXPECT_EQ(status_line(mount.daemon_pid(), "NoNewPrivs"), "0");
  EXPECT_EQ(status_line(mount.daemon_pid(), "Seccomp"), "0");
}

TEST(Credentials, HoldTheKeyAndTheKnownHosts) {
  TestServer server;
  const TempDir directory;
  std::filesystem::copy_file(server.user_key(), directory.file("sftpfs.key"));
  std::filesystem::copy_file(server.known_hosts(), directory.file("sftpfs.known_hosts"));
  ::chmod(directory.file("sftpfs.key").c_str(), 0400);
  const Variable credentials("CREDENTIALS_DIRECTORY", directory.path());
  const Outcome outcome =
      run({mount_program(), server.source(server.root()), "/mnt", "-o",
           "check,StrictHostKeyChecking=yes,port=" + std::to_string(server.port())},
          {{"HOME=" + directory.path(), "SSH_AUTH_SOCK"}, {}, {}, {}, true});
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
}

class Boot : public testing::Test {
 protected:
  std::string port_words(const Relay& relay) {
    return scene_.words({"port=" + std::to_string(relay.port()),
                         "UserKnownHostsFile=" + scene_.server().known_hosts(relay.port())});
  }
  HelperScene scene_;
};

TEST_F(Boot, LazyConnectMountsWithoutAServerAndServesWhenItComes) {
  Relay relay(scene_.server().port());
  relay.refuse();
  for (const char* word : {"lazy_connect", "delay_connect"}) {
    const Outcome outcome = scene_.mount(scene_.source(), port_words(relay) + "," + word);
    ASSERT_TRUE(outcome.ok()) << outcome.describe();
    EXPECT_EQ(scene_.mount_count(), 1);
    std::ofstream(scene_.server().root() + "/file") << word;
    Process reader({"cat", scene_.mount_point() + "/file"});
    EXPECT_FALSE(reader.wait(Deadline(std::chrono::milliseconds(300))));
    relay.heal();
    const auto ended = reader.wait(Deadline(std::chrono::seconds(20)));
    ASSERT_TRUE(ended && ended->ok());
    EXPECT_EQ(ended->output, word);
    EXPECT_EQ(scene_.unmount(), "");
    relay.refuse();
  }
}

TEST_F(Boot, LazyConnectAlsoFindsTheLoginDirectory) {
  const Outcome outcome = scene_.mount(scene_.server().source(""), scene_.words({"lazy_connect"}));
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_TRUE(run({"ls", "-la", scene_.mount_point()}).ok());
  EXPECT_EQ(scene_.unmount(), "");
}

TEST_F(Boot, RetryWaitsForAServerThatIsComing) {
  Relay relay(scene_.server().port());
  relay.refuse();
  ProcessOptions options;
  options.environment = {"HOME=" + scene_.file(""), "SSH_AUTH_SOCK"};
  Process mount({"mount", "-v", "-t", HelperScene::type(), scene_.source(), scene_.mount_point(),
                 "-o", port_words(relay) + ",retry=2"},
                options);
  const Deadline deadline(std::chrono::seconds(10));
  while (mount.errors().find("trying again") == std::string::npos && !deadline.passed()) {
    if (mount.wait(Deadline(std::chrono::milliseconds(5)))) break;
  }
  EXPECT_NE(mount.errors().find("trying again"), std::string::npos);
  relay.heal();
  const auto ended = mount.wait(Deadline(std::chrono::seconds(20)));
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->ok()) << ended->describe();
  EXPECT_EQ(scene_.mount_count(), 1);
  run({"umount", scene_.mount_point()});
  EXPECT_TRUE(wait_unmounted(scene_.mount_point(), Deadline(std::chrono::seconds(5))));
}

TEST_F(Boot, RetryDoesNotRepeatWhatOnlyTheUserCanCure) {
  const std::string key = scene_.server().make_key("stranger");
  const Outcome outcome =
      scene_.mount(scene_.source(), scene_.words({"retry=5", "IdentitiesOnly=yes"}, key));
  EXPECT_EQ(outcome.exit_code, 32) << outcome.describe();
  EXPECT_LT(outcome.elapsed, std::chrono::seconds(10));
}

TEST_F(Boot, BgReturnsAtOnceAndMountsLater) {
  Relay relay(scene_.server().port());
  relay.refuse();
  const Outcome outcome = scene_.mount(scene_.source(), port_words(relay) + ",bg");
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_EQ(scene_.mount_count(), 0);
  relay.heal();
  EXPECT_TRUE(wait_mounted(scene_.mount_point(), Deadline(std::chrono::seconds(20))));
  EXPECT_TRUE(run({"ls", scene_.mount_point()}).ok());
  EXPECT_EQ(scene_.unmount(), "");
}

}  // namespace
}  // namespace sftpfs::test
