// The control socket, with clients that behave and clients that do not. See ctl/server.h.
#include "ctl/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/clock.h"
#include "ctl/protocol.h"
#include "support/temp_dir.h"

namespace sftpfs::ctl {
namespace {

// Echoes; "wait" ends when it is cancelled; "flood" answers more than fits into a socket.
class Echo final : public Handler {
 public:
  runtime::Task<Answer> handle(Request request, Progress& progress,
                               std::shared_ptr<runtime::Cancel> cancel) override {
    const std::string command = request.text("command");
    ++handled;
    if (command == "wait") {
      const Status slept = co_await runtime::sleep_for(std::chrono::hours(1), cancel.get());
      cancelled += slept ? 0 : 1;
    }
    if (command == "news") progress.say({{"step", 1}});
    if (command == "refuse") co_return fail(ErrorCode::kInvalid, "no");
    if (command == "flood") co_return nlohmann::json(std::string(kReplyBytesMax - 100, 'x'));
    co_return nlohmann::json(command);
  }
  int handled = 0;
  int cancelled = 0;
};

class ControlServer : public ::testing::Test {
 protected:
  ControlServer() : loop_(clock_), server_(loop_, echo_) {
    loop_.post([this] { ASSERT_TRUE(server_.open(directory_.file("s"))); });
    turn();
  }
  ~ControlServer() override {
    loop_.post([this] { server_.close(); });
    turn();
  }

  void turn() {
    while (loop_.run_ready()) {
    }
  }
  UniqueFd connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory_.file("s");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    turn();
    return socket;
  }
  void send(const UniqueFd& socket, const std::string& text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    turn();
  }
  // All there is; `ended` tells whether the server has closed.
  std::string read_all(const UniqueFd& socket, bool* ended = nullptr) {
    std::string text;
    std::array<char, 65536> buffer{};
    while (true) {
      turn();
      const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (ended != nullptr) *ended = got == 0 || (got < 0 && errno == ECONNRESET);
      if (got <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  void expect_closed(const UniqueFd& socket) {
    bool ended = false;
    read_all(socket, &ended);
    EXPECT_TRUE(ended);
  }
  // That somebody else is still served.
  void expect_serving() {
    const UniqueFd other = connect();
    send(other, "{\"command\":\"hello\"}\n");
    EXPECT_EQ(read_all(other), "{\"result\":\"hello\"}\n");
  }

  test::TempDir directory_;
  ManualClock clock_;
  runtime::Loop loop_;
  Echo echo_;
  Server server_;
};

TEST_F(ControlServer, AnswersARequestAndCloses) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"hello\"}\n");
  bool ended = false;
  EXPECT_EQ(read_all(socket, &ended), "{\"result\":\"hello\"}\n");
  EXPECT_TRUE(ended);
}

TEST_F(ControlServer, TheSocketIsItsOwnersOnly) {
  struct stat status {};
  ASSERT_EQ(::stat(directory_.file("s").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(ControlServer, NewsComeBeforeTheResult) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"news\"}\n");
  EXPECT_EQ(read_all(socket), "{\"progress\":{\"step\":1}}\n{\"result\":\"news\"}\n");
}

TEST_F(ControlServer, ARefusalIsAnError) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"refuse\"}\n");
  EXPECT_EQ(read_all(socket), "{\"error\":\"no\"}\n");
}

TEST_F(ControlServer, ARequestMayComeInPieces) {
  const UniqueFd socket = connect();
  send(socket, "{\"comm");
  send(socket, "and\":\"hello\"}");
  EXPECT_EQ(echo_.handled, 0);
  send(socket, "\n");
  EXPECT_EQ(read_all(socket), "{\"result\":\"hello\"}\n");
}

TEST_F(ControlServer, WhatIsNoJsonObjectIsRefused) {
  for (const char* text : {"hello\n", "[1]\n", "\n", "{\"command\":\n", "\xff\xfe\n"}) {
    const UniqueFd socket = connect();
    send(socket, text);
    EXPECT_EQ(read_all(socket), "{\"error\":\"the request is no JSON object\"}\n") << text;
  }
  EXPECT_EQ(echo_.handled, 0);
}

TEST_F(ControlServer, DeeplyNestedJsonDoesNotEndTheDaemon) {
  const UniqueFd socket = connect();
  send(socket, std::string(4000, '[') + "\n");
  EXPECT_EQ(read_all(socket), "{\"error\":\"the request is no JSON object\"}\n");
}

TEST_F(ControlServer, ARequestWithoutEndIsCutOff) {
  const UniqueFd socket = connect();
  send(socket, std::string(kRequestBytesMax, 'x'));
  expect_closed(socket);
  expect_serving();
}

TEST_F(ControlServer, WhoSaysNothingIsSentAway) {
  const UniqueFd socket = connect();
  send(socket, "{");
  clock_.advance(kPeerPatience + std::chrono::seconds(1));
  expect_closed(socket);
  expect_serving();
}

TEST_F(ControlServer, WhoDoesNotReadIsSentAway) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"flood\"}\n");
  expect_serving();
  clock_.advance(kPeerPatience + std::chrono::seconds(1));
  turn();
  EXPECT_LT(read_all(socket).size(), kReplyBytesMax - 100);
  expect_closed(socket);
}

TEST_F(ControlServer, WhoReadsSlowlyGetsAll) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"flood\"}\n");
  EXPECT_EQ(read_all(socket).size(), kReplyBytesMax - 100 + std::strlen("{\"result\":\"\"}\n"));
}

TEST_F(ControlServer, WorkIsCancelledWhenItsClientGoes) {
  {
    const UniqueFd socket = connect();
    send(socket, "{\"command\":\"wait\"}\n");
    EXPECT_EQ(echo_.cancelled, 0);
  }
  turn();
  EXPECT_EQ(echo_.cancelled, 1);
  expect_serving();
}

TEST_F(ControlServer, ACrowdIsNotLetIn) {
  std::vector<UniqueFd> crowd;
  for (std::size_t i = 0; i < kConnectionsMax; ++i) crowd.push_back(connect());
  const UniqueFd late = connect();
  expect_closed(late);
  crowd.clear();
  turn();
  expect_serving();
}

TEST_F(ControlServer, ClosingEndsTheWorkAndTakesTheSocketAway) {
  const UniqueFd socket = connect();
  send(socket, "{\"command\":\"wait\"}\n");
  bool drained = false;
  loop_.post([this, &drained] {
    server_.close();
    runtime::spawn([](Server& server, bool& done) -> runtime::Task<void> {
      co_await server.drained();
      done = true;
    }(server_, drained));
  });
  turn();
  EXPECT_TRUE(drained);
  EXPECT_EQ(echo_.cancelled, 1);
  EXPECT_FALSE(std::filesystem::exists(directory_.file("s")));
  expect_closed(socket);
}

TEST_F(ControlServer, TakesThePlaceOfADeadOne) {
  {
    // Leaves its name behind, as a killed daemon does.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory_.file("dead");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  Server again(loop_, echo_);
  loop_.post([&] { EXPECT_TRUE(again.open(directory_.file("dead"))); });
  turn();
  EXPECT_TRUE(std::filesystem::exists(directory_.file("dead")));
  loop_.post([&] { again.close(); });
  turn();
}

}  // namespace
}  // namespace sftpfs::ctl
