// See test_server.h.
#include "support/test_server.h"

#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "support/net.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::chrono::seconds kStartTimeout{10};
constexpr std::chrono::seconds kEndTimeout{10};
constexpr int kPortAttempts = 20;
constexpr int kRetryMs = 2;
constexpr const char* kKept = "_kept";  // of a host key that another stands in for

std::string own_user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw TestError("the user who runs the tests has no entry in passwd");
  return entry->pw_name;
}

// sshd refuses users whose password is locked with '!', unless PAM decides; minimal images differ.
bool account_is_locked(const std::string& user) {
  const spwd* entry = ::geteuid() == 0 ? ::getspnam(user.c_str()) : nullptr;
  return entry != nullptr && entry->sp_pwdp != nullptr && entry->sp_pwdp[0] == '!';
}

std::string sshd_path() {
  return ::access("/usr/sbin/sshd", X_OK) == 0 ? "/usr/sbin/sshd" : "sshd";
}

// OpenSSH 9.8 began to punish addresses for failed logins, which some tests provoke.
bool sshd_has_penalties() {
  const Outcome version = run({sshd_path(), "-V"});
  const std::string text = version.output + version.errors;
  const std::size_t start = text.find("OpenSSH_");
  int major = 0;
  int minor = 0;
  if (start == std::string::npos ||
      std::sscanf(text.c_str() + start, "OpenSSH_%d.%d", &major, &minor) != 2) {
    return false;
  }
  return major > 9 || (major == 9 && minor >= 8);
}

void generate_key(const std::string& path, KeyType type, const std::string& passphrase) {
  Arguments arguments{"ssh-keygen",  "-q", "-t", key_type_name(type), "-N", passphrase, "-C",
                      "sftpfs-test", "-f", path};
  if (type == KeyType::kRsa) arguments.insert(arguments.end(), {"-b", "2048"});
  const Outcome outcome = run(arguments);
  if (!outcome.ok()) throw TestError("ssh-keygen: " + outcome.describe());
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

const char* key_type_name(KeyType type) {
  switch (type) {
    case KeyType::kEd25519: return "ed25519";
    case KeyType::kEcdsa: return "ecdsa";
    case KeyType::kRsa: return "rsa";
  }
  return "";
}

TestServer::TestServer(const ServerOptions& options)
    : root_(directory_.make_dir("root")), user_(own_user_name()), options_(options) {
  make_keys(options_);
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    port_ = free_loopback_port();
    write_config(options_);
    if (!start_listener()) continue;
    // The session that greeted must not be taken for a test's.
    if (wait_session_count(0, Deadline(kStartTimeout))) return;
  }
  throw TestError("sshd does not start; its log:\n" + log());
}

TestServer::~TestServer() { kill_all(); }

std::string TestServer::source(const std::string& path) const {
  return user_ + "@127.0.0.1:" + path;
}

std::string TestServer::user_key(KeyType type) const {
  return file(std::string("user_") + key_type_name(type));
}

std::string TestServer::host_key(KeyType type) const {
  return file(std::string("host_") + key_type_name(type));
}

std::string TestServer::make_key(const std::string& name, KeyType type,
                                 const std::string& passphrase) const {
  generate_key(file(name), type, passphrase);
  return file(name);
}

void TestServer::make_keys(const ServerOptions& options) {
  for (const KeyType type : options.host_keys) generate_key(host_key(type), type, "");
  std::ofstream authorized(file("authorized_keys"));
  for (const KeyType type : options.user_keys) {
    generate_key(user_key(type), type, options.passphrase);
    authorized << first_line(user_key(type) + ".pub") << '\n';
  }
}

std::string TestServer::known_hosts(std::uint16_t port) const {
  const std::uint16_t named = port == 0 ? port_ : port;
  const std::string path = file("known_hosts_" + std::to_string(named));
  std::ofstream known(path);
  for (const KeyType type : options_.host_keys) {
    known << "[127.0.0.1]:" << named << ' ' << first_line(host_key(type) + ".pub") << '\n';
  }
  return path;
}

void TestServer::write_config(const ServerOptions& options) {
  std::ofstream config(file("sshd_config"));
  for (const std::string& line : options.config) config << line << '\n';
  config << "ListenAddress 127.0.0.1\nPort " << port_ << '\n';
  for (const KeyType type : options.host_keys) config << "HostKey " << host_key(type) << '\n';
  config << "AuthorizedKeysFile " << file("authorized_keys") << '\n'
         << "PidFile none\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
         << "KbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\nLogLevel VERBOSE\n"
         << "MaxStartups 100\nMaxSessions 100\n"
         << "UsePAM " << (account_is_locked(user_) ? "yes" : "no") << '\n'
         << "Subsystem sftp " << options.sftp_subsystem << '\n';
  static const bool has_penalties = sshd_has_penalties();
  if (has_penalties) config << "PerSourcePenalties no\n";
  // Debian's sshd separates privileges in this directory, which only its service file makes.
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
}

bool TestServer::start_listener() {
  ProcessOptions process_options;
  process_options.own_session = true;
  listener_ = std::make_unique<Process>(
      Arguments{sshd_path(), "-D", "-e", "-f", file("sshd_config")}, process_options);
  const Deadline deadline{kStartTimeout};
  while (!deadline.passed()) {
    // Whoever answers on the port might be another's server: ours says when it listens.
    const bool listening = log().find("Server listening on") != std::string::npos;
    if (listening && greets_with(port_, "SSH-2.0-", deadline)) return true;
    // Ends at once when sshd does; otherwise it is time to look again.
    if (wait_exit(listener_->pidfd(), Deadline(std::chrono::milliseconds(kRetryMs)))) return false;
  }
  return false;
}

std::string TestServer::log() const { return listener_ ? listener_->errors() : ""; }

int TestServer::session_count() const {
  return static_cast<int>(children_of(listener_->pid()).size());
}

bool TestServer::wait_session_count(int count, const Deadline& deadline) const {
  while (session_count() != count) {
    if (deadline.passed()) return false;
    wait_exit(listener_->pidfd(), Deadline(std::chrono::milliseconds(kRetryMs)));
  }
  return true;
}

void TestServer::stop() {
  listener_->signal(SIGSTOP);
  for (const pid_t pid : descendants(listener_->pid())) ::kill(pid, SIGSTOP);
}

void TestServer::resume() {
  for (const pid_t pid : descendants(listener_->pid())) ::kill(pid, SIGCONT);
  listener_->signal(SIGCONT);
}

void TestServer::kill_sessions() {
  for (const pid_t pid : descendants(listener_->pid())) ::kill(pid, SIGKILL);
}

void TestServer::kill_connections() {
  for (const pid_t pid : children_of(listener_->pid())) ::kill(pid, SIGKILL);
}

void TestServer::kill_sftp_servers() {
  for (const pid_t pid : descendants(listener_->pid())) {
    if (process_name(pid) == "sftp-server") ::kill(pid, SIGKILL);
  }
}

void TestServer::change_host_key() {
  for (const KeyType type : options_.host_keys) {
    for (const char* half : {"", ".pub"}) {
      must(::rename((host_key(type) + half).c_str(), (host_key(type) + kKept + half).c_str()),
           "rename");
    }
    generate_key(host_key(type), type, "");
  }
}

void TestServer::restore_host_key() {
  for (const KeyType type : options_.host_keys) {
    for (const char* half : {"", ".pub"}) {
      must(::rename((host_key(type) + kKept + half).c_str(), (host_key(type) + half).c_str()),
           "rename");
    }
  }
}

void TestServer::kill_all() {
  if (!listener_) return;
  kill_tree(listener_->pid(), Deadline(kEndTimeout));
  listener_->kill();
}

void TestServer::start_again() {
  kill_all();
  // The port may linger with the connections that were cut.
  const Deadline deadline{kStartTimeout};
  while (!start_listener()) {
    if (deadline.passed()) throw TestError("sshd does not start again; its log:\n" + log());
  }
}

}  // namespace sftpfs::test
