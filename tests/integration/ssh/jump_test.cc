// Promises about jump hosts on a machine without ssh(1): sftpfs goes through them itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "support/net.h"
#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

using testing::HasSubstr;
using Stream = std::unique_ptr<runtime::ByteStream>;

class OwnJump : public testing::Test {
 protected:
  OwnJump() {
    for (const TestServer* server : {&server_, &gate_}) know(*server);
  }
  void know(const TestServer& server) {
    std::ifstream one(server.known_hosts());
    std::ofstream(known_hosts_, std::ios::app) << one.rdbuf();
    keys_.push_back(server.user_key());
  }
  static std::string hop(const TestServer& server) {
    return server.user() + "@127.0.0.1:" + std::to_string(server.port());
  }
  ssh::Options through(const std::string& hops) const {
    ssh::Options options = options_for(server_, ssh::Transport::kLibssh2, "");
    options.identity_files = keys_;
    options.user_known_hosts_files = {known_hosts_};
    options.without_ssh = true;
    options.own_program = SFTPFS_PROGRAM;
    options.ssh_options = {{"ProxyJump", hops}};
    return options;
  }
  static Result<Stream> connect(const ssh::Options& options) {
    ssh::Login login;
    return ssh::connect(options, login, nullptr, nullptr);
  }
  static bool was_passed(const TestServer& gate) {
    return gate.log().find("Accepted publickey") != std::string::npos;
  }

  const TestServer server_;
  const TestServer gate_;
  const TempDir directory_;
  const std::string known_hosts_ = directory_.file("known_hosts");
  std::vector<std::string> keys_;
};

TEST_F(OwnJump, AHostIsOnTheWay) {
  Result<Stream> stream = connect(through(hop(gate_)));
  ASSERT_TRUE(stream) << why(stream);
  const Conversation hello = say_hello(std::move(*stream));
  EXPECT_TRUE(hello.complete) << hello.describe();
  EXPECT_TRUE(was_passed(gate_));
}

TEST_F(OwnJump, HostsMayFormAChain) {
  const TestServer second;
  know(second);
  Result<Stream> stream = connect(through(hop(second) + "," + hop(gate_)));
  ASSERT_TRUE(stream) << why(stream);
  const Conversation hello = say_hello(std::move(*stream));
  EXPECT_TRUE(hello.complete) << hello.describe();
  EXPECT_TRUE(was_passed(gate_));
  EXPECT_TRUE(was_passed(second));
}

TEST_F(OwnJump, MuchGoesThroughInBothDirectionsAtOnce) {
  ssh::Options options = through(hop(gate_));
  options.sftp_server = "/bin/cat";
  Result<Stream> stream = connect(options);
  ASSERT_TRUE(stream) << why(stream);
  const Conversation said = echo(std::move(*stream), 32 << 20);
  EXPECT_TRUE(said.complete) << said.describe();
}

TEST_F(OwnJump, AServerThatIsNotThereIsTheJumpHostsToTell) {
  ssh::Options options = through(hop(gate_));
  options.port = free_loopback_port();
  const Result<Stream> stream = connect(options);
  ASSERT_FALSE(stream);
  EXPECT_TRUE(stream.error().is(ErrorCode::kConnectionLost)) << why(stream);
  EXPECT_THAT(why(stream), HasSubstr("does not connect us to 127.0.0.1 port"));
  EXPECT_THAT(why(stream), HasSubstr("ProxyJump " + hop(gate_)));
}

TEST_F(OwnJump, AJumpHostThatIsNotKnownIsRefused) {
  ssh::Options options = through(hop(gate_));
  options.user_known_hosts_files = {server_.known_hosts()};
  const Result<Stream> stream = connect(options);
  ASSERT_FALSE(stream);
  EXPECT_THAT(why(stream), HasSubstr("host key"));
  EXPECT_FALSE(was_passed(gate_));
}

TEST_F(OwnJump, AMountWithoutSshGoesThroughAndWorks) {
  MountOptions options;
  options.config.transport = "libssh2";
  options.wrapper = {"env", "PATH=/nowhere"};
  options.extra = {"ProxyJump=" + hop(gate_), "UserKnownHostsFile=" + known_hosts_,
                   "IdentityFile=" + gate_.user_key()};
  TestMount mount(server_, options);
  const std::string text(3 << 20, 'x');
  std::ofstream(mount.file("file")) << text;
  std::ostringstream there;
  there << std::ifstream(server_.root() + "/file").rdbuf();
  EXPECT_EQ(there.str(), text);
  EXPECT_TRUE(was_passed(gate_));
  EXPECT_EQ(mount.unmount(), "") << mount.log();
}

}  // namespace
}  // namespace sftpfs::test
