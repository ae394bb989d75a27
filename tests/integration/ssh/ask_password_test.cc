// Promises about systemd's password agents: a mount that nobody started at a terminal asks them.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "integration/ssh/ssh_server.h"
#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

constexpr const char* kQuestions = "/run/systemd/ask-password";

// What a desktop or `systemd-tty-ask-password-agent` does: answers the question in which `words`
// stand, whenever it is asked (https://systemd.io/PASSWORD_AGENTS).
class Agent {
 public:
  Agent(std::string words, std::string answer)
      : words_(std::move(words)),
        answer_('+' + answer),
        thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            look();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}
  int answered() const { return answered_; }

 private:
  void look() {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(kQuestions, none)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("ask.") && !seen_.contains(name)) consider(entry.path());
    }
  }
  void consider(const std::filesystem::path& path) {
    std::ifstream question(path);
    std::string socket;
    bool ours = false;
    for (std::string line; std::getline(question, line);) {
      if (line.starts_with("Socket=")) socket = line.substr(7);
      if (line.starts_with("Message=")) ours = line.find(words_) != std::string::npos;
    }
    if (!ours || socket.empty()) return;
    seen_.insert(path.filename());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::sendto(fd.get(), answer_.data(), answer_.size(), 0,
                 reinterpret_cast<const sockaddr*>(&address), sizeof(address)) > 0) {
      ++answered_;
    }
  }

  const std::string words_;
  const std::string answer_;
  std::set<std::string> seen_;
  std::atomic<int> answered_{0};
  std::jthread thread_;
};

TEST(SystemdAskPassword, AMountWithoutTerminalAsksTheAgentsOnce) {
  const std::string words = "Password of test " + std::to_string(::getpid());
  const FakeAccounts accounts("unused", words + ": =hunter2");
  ServerOptions config;
  config.config = accounts.config();
  const TestServer server(config);
  Agent agent(words, "hunter2");
  MountOptions options;
  options.wrapper = {"env",    "-u", "LD_PRELOAD", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY",
                     "setsid", "-w"};
  options.extra = {"systemd_ask_password", "PreferredAuthentications=keyboard-interactive"};
  TestMount mount(server, options);
  std::ofstream(mount.file("file")) << "text";
  EXPECT_TRUE(std::filesystem::exists(server.root() + "/file"));
  // Further connections use the same answer.
  EXPECT_EQ(agent.answered(), 1);
  EXPECT_EQ(mount.unmount(), "") << mount.log();
}

}  // namespace
}  // namespace sftpfs::test
