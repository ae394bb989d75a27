// Promises of the accelerated AES-CTR underneath libssh2, at both ends of many keys.
#include <gtest/gtest.h>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "ssh/ctr_provider.h"

namespace sftpfs::test {
namespace {

class AcceleratedCtr : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Ciphers, AcceleratedCtr,
                         testing::Values("aes128-ctr", "aes192-ctr", "aes256-ctr"),
                         [](const auto& cipher) { return std::string(cipher.param, 3, 3); });

TEST_P(AcceleratedCtr, CarriesBothDirectionsThroughManyKeyExchanges) {
  ServerOptions options;
  options.sftp_subsystem = "/bin/cat";
  options.config = {"RekeyLimit 1M", std::string("Ciphers ") + GetParam()};
  const TestServer server(options);
  auto acceleration = ssh::CtrAcceleration::install();
  ASSERT_TRUE(acceleration) << why(acceleration);
  ssh::Login login;
  auto stream = ssh::connect(options_for(server, ssh::Transport::kLibssh2, server.user_key()),
                             login, nullptr, nullptr);
  ASSERT_TRUE(stream) << why(stream);
  const Conversation talk = echo(std::move(*stream), std::uint64_t{48} << 20);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

}  // namespace
}  // namespace sftpfs::test
