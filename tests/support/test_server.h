// TestServer: a private sshd on a loopback port, with throw-away keys and its own configuration.
//
// Ownership: the object owns the sshd, every process below it, its keys and its directory; all of
//            them are gone when it is destroyed. Tests serve files from a directory of theirs.
// Threads:   one thread per object.
// Limits:    runs as the user who runs the test, and only that user can log in. It answers when
//            the constructor returns (some 50 ms); a port lost to another process is replaced.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace sftpfs::test {

enum class KeyType { kEd25519, kEcdsa, kRsa };

struct ServerOptions {
  std::vector<KeyType> host_keys{KeyType::kEd25519};
  std::vector<KeyType> user_keys{KeyType::kEd25519};
  // Lines of sshd_config that win over ours: "RekeyLimit 1M", "MaxSessions 1".
  std::vector<std::string> config;
  // Or a path: "/usr/lib/openssh/sftp-server -l VERBOSE".
  std::string sftp_subsystem = "internal-sftp";
  std::string passphrase;  // of the user keys
};

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& user() const { return user_; }
  // A directory for a test's files, empty at first; on the server it has the same path.
  const std::string& root() const { return root_; }
  // "root@127.0.0.1:/path"
  std::string source(const std::string& path) const;

  // The private key file; its public half lies beside it with ".pub".
  std::string user_key(KeyType type = KeyType::kEd25519) const;
  std::string host_key(KeyType type = KeyType::kEd25519) const;
  // A known_hosts file that names this server's host keys for `port` (0: its own); a relay's port
  // may stand in for it.
  std::string known_hosts(std::uint16_t port = 0) const;
  // A file in the server's own directory, for what a test wants to keep beside its keys.
  std::string file(const std::string& name) const { return directory_.file(name); }
  // Makes a key of its own that the server does not know; the path of its private half.
  std::string make_key(const std::string& name, KeyType type = KeyType::kEd25519,
                       const std::string& passphrase = {}) const;

  // What sshd has logged.
  std::string log() const;
  // Connections being served, whatever their state.
  int session_count() const;
  // Waits until exactly `count` connections are being served.
  bool wait_session_count(int count, const Deadline& deadline) const;

  // Freezes and thaws sshd and all its sessions: a server that is there and does not answer.
  void stop();
  void resume();
  // Kills the sessions; the listener goes on and takes new ones.
  void kill_sessions();
  // Kills only sshd's side of the sessions; sftp-server sees its input end.
  void kill_connections();
  // Kills only the programmes of the sessions (sftp_subsystem must be a programme's path).
  void kill_sftp_servers();
  // Kills everything; start_again() listens on the same port with the same keys.
  void kill_all();
  void start_again();
  // From start_again() on another host key is shown, until the old one is put back. known_hosts()
  // stays as it is.
  void change_host_key();
  void restore_host_key();

 private:
  void make_keys(const ServerOptions& options);
  void write_config(const ServerOptions& options);
  bool start_listener();

  TempDir directory_;
  std::string root_;
  std::string user_;
  std::uint16_t port_ = 0;
  ServerOptions options_;
  std::unique_ptr<Process> listener_;
};

// "ed25519"
const char* key_type_name(KeyType type);

}  // namespace sftpfs::test
