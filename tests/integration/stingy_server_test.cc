// Promises about servers that grant little: one session per connection, two guests at the door, few
// tries to log in. A mount with several connections works there as well, on both transports.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

class StingyServer : public testing::TestWithParam<MountConfig> {};
INSTANTIATE_TEST_SUITE_P(Mounts, StingyServer, testing::ValuesIn(all_configs()), ConfigName());

TEST_P(StingyServer, IsEnough) {
  ServerOptions with;
  with.config = {"MaxSessions 1", "MaxStartups 2", "MaxAuthTries 3"};
  const TestServer server(with);
  MountOptions options;
  options.config = GetParam();
  // A stranger comes along: the server's patience must not be used up before the right key.
  options.extra = {"IdentityFile=" + server.make_key("stranger"), "IdentitiesOnly=yes",
                   "IdentityAgent=none"};
  const TestMount mount(server, options);
  constexpr int kWriters = 8;
  const std::string contents(3 << 20, 'x');
  run_in_children(kWriters, [&](int number) {
    std::ofstream(mount.file(std::to_string(number))) << contents << number;
    return std::string();
  });
  for (int number = 0; number < kWriters; ++number) {
    std::ifstream file(server.root() + "/" + std::to_string(number));
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), contents + std::to_string(number)) << number;
  }
}

}  // namespace
}  // namespace sftpfs::test
