// What the tests of src/ssh share: options for a TestServer, and an account with a password.
//
// Ownership: FakeAccounts changes the environment of what is started while it exists.
// Threads:   one thread.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ssh/connect.h"
#include "support/test_server.h"

namespace sftpfs::test {

// Options that reach `server` with the given key (empty: none), its host key known, and nothing of
// the machine's own: no agent, no known hosts.
ssh::Options options_for(const TestServer& server, ssh::Transport transport,
                         const std::string& key);

// A line of sshd_config that keeps bash from running ~/.bashrc before a command: whatever that
// starts on somebody's machine may take the first bytes meant for the command.
constexpr const char* kPlainShell = "SetEnv SHLVL=2";

// "Libssh2" or "Ssh", for the names of parametrised tests.
std::string transport_name(const testing::TestParamInfo<ssh::Transport>& transport);

// The text of a result's error, for failure messages.
template <class T>
std::string why(const Result<T>& result) {
  return result ? "it succeeded" : result.error().describe();
}

// While it exists, a TestServer that is started believes every account to have this password.
class FakeAccounts {
 public:
  explicit FakeAccounts(const std::string& password);
  // With PAM, which asks the questions one after the other: "Password: =secret;Code: =42".
  FakeAccounts(const std::string& password, const std::string& questions);
  ~FakeAccounts();
  FakeAccounts(const FakeAccounts&) = delete;
  FakeAccounts& operator=(const FakeAccounts&) = delete;

  // Lines for ServerOptions::config.
  const std::vector<std::string>& config() const { return config_; }

 private:
  TempDir directory_;
  std::vector<std::string> config_;
};

}  // namespace sftpfs::test
