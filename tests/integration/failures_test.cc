// Promises about failure: whatever keeps a mount from coming about is told in one line that names
// the thing, the cause and the cure, with an exit code, within the time that ConnectTimeout allows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "ctl/explain.h"
#include "support/net.h"
#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kUsage = 1;
constexpr int kMountFailure = 32;
constexpr std::chrono::seconds kConnectTimeout{3};
// What a busy machine may add to it.
constexpr std::chrono::seconds kSlack{12};

bool explained_by_message(const std::string& line) {
  const auto explanations = ctl::message_explanations();
  return std::any_of(explanations.begin(), explanations.end(), [&line](const auto& each) {
    return line.find(each.key) != std::string::npos;
  });
}

// A "server" that greets with its own words, or not at all.
class Impostor {
 public:
  explicit Impostor(const std::string& greeting)
      : socket_(listen_on_loopback(0)), thread_([this, greeting](const std::stop_token& stop) {
          while (!stop.stop_requested()) serve(greeting);
        }) {}
  std::uint16_t port() const { return local_port(socket_.get()); }

 private:
  void serve(const std::string& greeting) {
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 50) <= 0) return;
    UniqueFd guest(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!guest || greeting.empty()) {
      silent_.push_back(std::move(guest));
      return;
    }
    [[maybe_unused]] const ssize_t sent =
        ::send(guest.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL);
    ::shutdown(guest.get(), SHUT_WR);
    silent_.push_back(std::move(guest));
  }

  UniqueFd socket_;
  std::vector<UniqueFd> silent_;
  std::jthread thread_;
};

struct Wish {
  std::string host = "127.0.0.1";
  std::string directory;           // empty: the server's root
  std::vector<std::string> words;  // win over ours
  std::uint16_t port = 0;
  std::string identity_file;
};

class Failures : public testing::TestWithParam<std::string> {
 protected:
  Outcome mount(const TestServer& server, const Wish& wish) const {
    MountOptions options;
    options.config = {GetParam(), 1, 1, false};
    options.port = wish.port;
    options.identity_file = wish.identity_file;
    options.extra = wish.words;
    options.extra.insert(
        options.extra.end(),
        {"ConnectTimeout=" + std::to_string(kConnectTimeout.count()),
         "GlobalKnownHostsFile=/dev/null", "IdentityAgent=none", "IdentitiesOnly=yes"});
    const std::string directory = wish.directory.empty() ? server.root() : wish.directory;
    ProcessOptions how;
    how.own_session = true;  // nobody at a terminal
    how.environment = {"SSH_ASKPASS", "DISPLAY"};
    const Outcome outcome =
        run({mount_program(), "-F", "/dev/null", server.user() + "@" + wish.host + ":" + directory,
             mount_point_.path(), "-o", join_words(mount_words(server, options))},
            how);
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_LT(outcome.elapsed, kConnectTimeout + kSlack) << outcome.describe();
    // One line, and nothing that a terminal would obey.
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    EXPECT_THAT(outcome.errors, testing::StartsWith("sftpfs: "));
    EXPECT_EQ(outcome.errors.find('\x1b'), std::string::npos);
    return outcome;
  }
  void expect(const Outcome& outcome, int code,
              const testing::Matcher<const std::string&>& message) const {
    EXPECT_EQ(outcome.exit_code, code) << outcome.describe();
    EXPECT_THAT(outcome.errors, message);
    // Whoever sees the line can ask what to do about it.
    EXPECT_TRUE(explained_by_message(outcome.errors)) << outcome.errors;
    if (::getenv("SFTPFS_TEST_SHOW") != nullptr) std::fputs(outcome.errors.c_str(), stderr);
  }
  bool libssh2() const { return GetParam() == "libssh2"; }

  const TempDir mount_point_;
};
INSTANTIATE_TEST_SUITE_P(Transports, Failures, testing::Values("libssh2", "ssh"),
                         [](const testing::TestParamInfo<std::string>& transport) {
                           return transport.param;
                         });

TEST_P(Failures, AHostThatHasNoAddress) {
  const TestServer server;
  Wish wish;
  wish.host = "no-such-host.invalid";
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("no-such-host.invalid"), HasSubstr("cannot find host"),
               HasSubstr("check the name")));
}

TEST_P(Failures, APortWhereNobodyListens) {
  const TestServer server;
  Wish wish;
  wish.port = free_loopback_port();
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1 port " + std::to_string(wish.port)),
               HasSubstr("Connection refused"), HasSubstr("is sshd running")));
}

TEST_P(Failures, AHostThatDoesNotAnswer) {
  const TestServer server;
  const Impostor impostor("");
  Wish wish;
  wish.port = impostor.port();
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("did not answer in time"),
               HasSubstr("ConnectTimeout")));
}

TEST_P(Failures, ANetworkWithoutARoute) {
  const TestServer server;
  Wish wish;
  wish.host = "[2001:db8::1]";  // documentation's own; nowhere routed
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("2001:db8::1"),
               AnyOf(HasSubstr("is the network up"), HasSubstr("no answer in time"))));
}

TEST_P(Failures, APortWithAnotherProtocol) {
  const TestServer server;
  const Impostor impostor("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  Wish wish;
  wish.port = impostor.port();
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("no SSH server"), HasSubstr("port")));
}

TEST_P(Failures, AServerWithNoCipherInCommon) {
  ServerOptions with;
  with.config = {"Ciphers chacha20-poly1305@openssh.com"};
  const TestServer server(with);
  Wish wish;
  if (!libssh2()) wish.words = {"Ciphers=aes128-ctr"};
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("no algorithm in common"),
               HasSubstr(libssh2() ? "transport=ssh" : "chacha20-poly1305")));
}

TEST_P(Failures, AHostThatIsNotKnown) {
  const TestServer server;
  Wish wish;
  wish.words = {"UserKnownHostsFile=/dev/null"};
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("not known"),
               HasSubstr(libssh2() ? "SHA256:" : "ED25519"), HasSubstr("accept-new")));
}

TEST_P(Failures, AHostWhoseKeyHasChanged) {
  const TestServer server;
  std::ifstream other(server.make_key("other") + ".pub");
  const std::string known = server.file("changed_known_hosts");
  std::ofstream(known) << "# a comment\n[127.0.0.1]:" << server.port() << ' ' << other.rdbuf();
  Wish wish;
  wish.words = {"UserKnownHostsFile=" + known};
  const Outcome outcome = mount(server, wish);
  expect(outcome, kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("changed"), HasSubstr(known + ":2"),
               HasSubstr("SHA256:"), HasSubstr("remove")));
  // Both fingerprints.
  const std::size_t first = outcome.errors.find("SHA256:");
  EXPECT_NE(outcome.errors.find("SHA256:", first + 1), std::string::npos) << outcome.errors;
}

TEST_P(Failures, AHostWhoseKeyIsRevoked) {
  const TestServer server;
  std::ifstream key(server.host_key() + ".pub");
  const std::string known = server.file("revoked_known_hosts");
  std::ofstream(known) << "@revoked * " << key.rdbuf();
  Wish wish;
  wish.words = {"UserKnownHostsFile=" + known};
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("revoked"), HasSubstr("do not trust")));
}

TEST_P(Failures, AKeyThatTheServerDoesNotWant) {
  const TestServer server;
  const std::string stranger = server.make_key("stranger");
  Wish wish;
  wish.identity_file = stranger;
  const Outcome outcome = mount(server, wish);
  expect(outcome, kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("ermission denied"), HasSubstr("publickey")));
  if (libssh2()) {
    EXPECT_THAT(outcome.errors, HasSubstr(stranger));
  }
}

TEST_P(Failures, AServerWithoutTheSubsystem) {
  const TestServer server;
  Wish wish;
  wish.words = {"sftp_server=nosuchthing"};
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr(libssh2() ? "nosuchthing" : "SFTP"),
               HasSubstr("subsystem"), HasSubstr("sftp_server=")));
}

TEST_P(Failures, AShellThatTalksWhereSftpShouldBegin) {
  const TestServer server;
  const std::string script = server.file("talk");
  std::ofstream(script) << "#!/bin/sh\necho Welcome to box; read line\n";
  ASSERT_EQ(::chmod(script.c_str(), 0755), 0);
  Wish wish;
  wish.words = {"sftp_server=" + script};
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr("Welcome to box"), HasSubstr("start-up file")));
}

TEST_P(Failures, ADirectoryThatIsMissing) {
  const TestServer server;
  Wish wish;
  wish.directory = server.root() + "/missing";
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr(wish.directory), HasSubstr("No such file")));
}

TEST_P(Failures, ADirectoryWhoseParentIsMissing) {
  const TestServer server;
  Wish wish;
  wish.directory = server.root() + "/missing/deeper";
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr(wish.directory), HasSubstr("No such file")));
}

TEST_P(Failures, ADirectoryThatIsAFile) {
  const TestServer server;
  Wish wish;
  wish.directory = server.root() + "/file";
  std::ofstream(wish.directory) << "x";
  expect(mount(server, wish), kMountFailure,
         AllOf(HasSubstr("127.0.0.1"), HasSubstr(wish.directory), HasSubstr("ot a directory")));
}

TEST_P(Failures, AWordThatSshDoesNotUnderstand) {
  const TestServer server;
  Wish wish;
  wish.words = {"ProxyJump=-bad"};
  expect(mount(server, wish), kUsage, AllOf(HasSubstr("roxy"), Not(HasSubstr("\x1b"))));
}

}  // namespace
}  // namespace sftpfs::test
