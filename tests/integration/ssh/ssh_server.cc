// See ssh_server.h.
#include "integration/ssh/ssh_server.h"

#include <cstdlib>
#include <fstream>

namespace sftpfs::test {

ssh::Options options_for(const TestServer& server, ssh::Transport transport,
                         const std::string& key) {
  ssh::Options options;
  options.host = "127.0.0.1";
  options.port = server.port();
  options.user = server.user();
  options.transport = transport;
  options.identity_files = {key.empty() ? server.file("no-such-key") : key};
  options.identities_only = true;
  options.agent_socket = "";
  options.host_key_policy = ssh::HostKeyPolicy::kYes;
  options.user_known_hosts_files = {server.known_hosts()};
  options.global_known_hosts_files = {server.file("no-such-known-hosts")};
  options.connect_timeout = std::chrono::seconds(20);
  // The machine's own configuration has no business here.
  options.ssh_config_file = "/dev/null";
  return options;
}

std::string transport_name(const testing::TestParamInfo<ssh::Transport>& transport) {
  return transport.param == ssh::Transport::kLibssh2 ? "Libssh2" : "Ssh";
}

FakeAccounts::FakeAccounts(const std::string& password)
    : config_{"PasswordAuthentication yes", "UsePAM no"} {
  ::setenv("LD_PRELOAD", SFTPFS_FAKE_ACCOUNTS, 1);
  ::setenv("SFTPFS_TEST_PASSWORD", password.c_str(), 1);
}

FakeAccounts::FakeAccounts(const std::string& password, const std::string& questions)
    : FakeAccounts(password) {
  config_ = {"KbdInteractiveAuthentication yes", "UsePAM yes"};
  std::ofstream(directory_.file("sftpfs-test"))
      << "auth required " << SFTPFS_FAKE_ACCOUNTS << "\naccount required pam_permit.so\n"
      << "session required pam_permit.so\n";
  ::setenv("SFTPFS_TEST_PAM_DIR", directory_.path().c_str(), 1);
  ::setenv("SFTPFS_TEST_PAM_QUESTIONS", questions.c_str(), 1);
}

FakeAccounts::~FakeAccounts() {
  for (const char* name :
       {"LD_PRELOAD", "SFTPFS_TEST_PASSWORD", "SFTPFS_TEST_PAM_DIR", "SFTPFS_TEST_PAM_QUESTIONS"}) {
    ::unsetenv(name);
  }
}

}  // namespace sftpfs::test
