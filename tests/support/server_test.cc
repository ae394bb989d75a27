// TestServer: a real sshd that answers, is stopped, and leaves nothing behind.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "support/net.h"
#include "support/process.h"
#include "support/process_table.h"
#include "support/test_server.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::seconds kSoon{10};

Arguments ssh_to(const TestServer& server, KeyType key = KeyType::kEd25519) {
  return {"ssh",
          "-F",
          "none",
          "-o",
          "BatchMode=yes",
          "-o",
          "IdentitiesOnly=yes",
          "-o",
          "UserKnownHostsFile=" + server.known_hosts(),
          "-i",
          server.user_key(key),
          "-p",
          std::to_string(server.port()),
          server.user() + "@127.0.0.1"};
}

TEST(TestServer, LetsItsUserInWithEveryKindOfKey) {
  ServerOptions options;
  options.host_keys = {KeyType::kEd25519, KeyType::kEcdsa, KeyType::kRsa};
  options.user_keys = options.host_keys;
  const TestServer server(options);
  for (const KeyType key : options.user_keys) {
    Arguments command = ssh_to(server, key);
    command.push_back("echo in");
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.output, "in\n") << outcome.describe() << server.log();
  }
}

TEST(TestServer, RefusesAStrangersKey) {
  const TestServer server;
  Arguments command{"ssh",
                    "-F",
                    "none",
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "IdentitiesOnly=yes",
                    "-o",
                    "UserKnownHostsFile=" + server.known_hosts(),
                    "-i",
                    server.make_key("stranger"),
                    "-p",
                    std::to_string(server.port()),
                    server.user() + "@127.0.0.1",
                    "true"};
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit_code, 255);
  EXPECT_NE(outcome.errors.find("Permission denied"), std::string::npos) << outcome.describe();
}

TEST(TestServer, CountsItsSessionsAndKillsThem) {
  TestServer server;
  Arguments command = ssh_to(server);
  command.push_back("sleep 60");
  Process client(command);
  EXPECT_TRUE(server.wait_session_count(1, Deadline(kSoon)));
  server.kill_sessions();
  EXPECT_TRUE(client.wait(Deadline(kSoon)).has_value());
  EXPECT_TRUE(server.wait_session_count(0, Deadline(kSoon)));
  EXPECT_TRUE(greets_with(server.port(), "SSH-2.0-", Deadline(kSoon)));
}

TEST(TestServer, DoesNotAnswerWhileStopped) {
  TestServer server;
  server.stop();
  EXPECT_FALSE(greets_with(server.port(), "SSH-2.0-", Deadline(std::chrono::milliseconds(100))));
  server.resume();
  EXPECT_TRUE(greets_with(server.port(), "SSH-2.0-", Deadline(kSoon)));
}

TEST(TestServer, StartsAgainOnTheSamePort) {
  TestServer server;
  const std::uint16_t port = server.port();
  server.kill_all();
  EXPECT_FALSE(connect_to_loopback(port));
  server.start_again();
  EXPECT_EQ(server.port(), port);
  EXPECT_TRUE(greets_with(port, "SSH-2.0-", Deadline(kSoon)));
}

TEST(TestServer, LeavesNoProcessAndNoFile) {
  std::string file;
  {
    TestServer server;
    file = server.user_key();
    Arguments command = ssh_to(server);
    command.push_back("sleep 61");
    const Process client(command);
    EXPECT_TRUE(server.wait_session_count(1, Deadline(kSoon)));
  }
  EXPECT_NE(::access(file.c_str(), F_OK), 0);
  for (const pid_t pid : all_processes()) {
    EXPECT_EQ(describe_process(pid).find("sleep 61"), std::string::npos) << describe_process(pid);
  }
}

}  // namespace
}  // namespace sftpfs::test
