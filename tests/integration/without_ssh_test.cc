// Promises about SFTP without SSH: over a TCP port, a virtual machine's socket, and standard input
// and output.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "support/mounts.h"
#include "support/net.h"
#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

using testing::HasSubstr;

constexpr const char* kSftpServer = "/usr/lib/openssh/sftp-server";

// A process with descriptors of ours; killed and reaped at the end.
class Spawned {
 public:
  Spawned(const Arguments& words, int input, int output) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int failure = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failure, 0);
  }
  ~Spawned() { kill(); }
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // Its exit code.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

// Gives each guest an sftp-server of its own, as inetd would.
class PlainServer {
 public:
  PlainServer()
      : socket_(listen_on_loopback(0)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) serve();
        }) {}
  std::uint16_t port() const { return local_port(socket_.get()); }
  void kill_guests() { kill_.store(true); }

 private:
  void serve() {
    if (kill_.exchange(false)) guests_.clear();
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) return;
    const UniqueFd guest(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!guest) return;
    guests_.push_back(std::make_unique<Spawned>(Arguments{kSftpServer}, guest.get(), guest.get()));
  }

  UniqueFd socket_;
  std::atomic<bool> kill_{false};
  std::vector<std::unique_ptr<Spawned>> guests_;
  std::jthread thread_;
};

std::string contents_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class WithoutSsh : public testing::Test {
 protected:
  void TearDown() override { unmount(); }
  void unmount() {
    if (!std::exchange(mounted_, false)) return;
    const Outcome outcome = run({"umount", mount_.path()});
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
  }
  Outcome mount(const std::string& host, const std::string& words) {
    const Outcome outcome =
        run({mount_program(), host + ":" + remote_.path(), mount_.path(), "-o", words});
    mounted_ = outcome.ok();
    return outcome;
  }
  void expect_works() {
    const std::string text(3 << 20, 'x');
    std::ofstream(mount_.path() + "/file") << text;
    EXPECT_EQ(contents_of(remote_.path() + "/file"), text);
    std::ofstream(remote_.path() + "/other") << text << "y";
    EXPECT_EQ(contents_of(mount_.path() + "/other"), text + "y");
  }

  const TempDir remote_;
  const TempDir mount_;
  bool mounted_ = false;
};

TEST_F(WithoutSsh, APortThatSpeaksSftpIsMountedAndConnectedAgain) {
  PlainServer server;
  const Outcome outcome = mount("127.0.0.1", "directport=" + std::to_string(server.port()));
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  expect_works();
  server.kill_guests();
  std::ofstream(mount_.path() + "/later") << "z";
  EXPECT_EQ(contents_of(remote_.path() + "/later"), "z");
  // While there is somebody to write to.
  unmount();
}

TEST_F(WithoutSsh, APortWhereNobodyListensIsNamed) {
  const std::string port = std::to_string(free_loopback_port());
  const Outcome outcome = mount("127.0.0.1", "directport=" + port);
  EXPECT_EQ(outcome.exit_code, 32) << outcome.describe();
  EXPECT_THAT(outcome.errors, HasSubstr("cannot connect to 127.0.0.1 port " + port));
}

TEST_F(WithoutSsh, AVirtualMachineThatIsNotThereIsNamed) {
  const Outcome outcome = mount("", "vsock=4294967294:1,ConnectTimeout=2");
  EXPECT_EQ(outcome.exit_code, 32) << outcome.describe();
  EXPECT_THAT(outcome.errors, HasSubstr("vsock 4294967294:1"));
}

// Pipes both ways, as dpipe(1) makes them.
TEST_F(WithoutSsh, StandardStreamsServeAMountUntilTheyEnd) {
  std::array<int, 2> to_us{-1, -1};
  std::array<int, 2> to_server{-1, -1};
  ASSERT_EQ(::pipe2(to_us.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(to_server.data(), O_CLOEXEC), 0);
  UniqueFd our_input(to_us[0]);
  UniqueFd server_output(to_us[1]);
  UniqueFd server_input(to_server[0]);
  UniqueFd our_output(to_server[1]);
  Spawned server({kSftpServer}, server_input.get(), server_output.get());
  Spawned programme(
      {mount_program(), ":" + remote_.path(), mount_.path(), "-o", "passive,timeo=1,max_conns=4"},
      our_input.get(), our_output.get());
  for (UniqueFd* fd : {&our_input, &server_output, &server_input, &our_output}) fd->reset();
  ASSERT_EQ(programme.wait(), 0);
  mounted_ = true;
  expect_works();
  server.kill();
  // Nobody can bring it back, so nobody waits for it.
  std::ofstream lost(mount_.path() + "/lost");
  EXPECT_FALSE(lost.is_open());
}

}  // namespace
}  // namespace sftpfs::test
