// Config: everything a mount was asked to do, as plain values. The wiring (mount_run.cc) turns it
// into what fs/, ssh/ and libfuse want.
//
// Threads: filled in before threads start, immutable afterwards.
// Limits:  ranges of single options are checked where they are parsed (option_table.cc), what
//          several options say together by validate().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/option_list.h"
#include "app/source.h"
#include "base/error.h"
#include "base/log.h"

namespace sftpfs::app {

enum class Transport : std::uint8_t {
  kAuto,  // libssh2, unless something needs ssh(1); ssh/settle.h and the server decide
  kLibssh2,
  kSsh,  // an ssh(1) child
};

enum class IdMapping : std::uint8_t { kNone, kUser, kFile };
// What is on the server when a call returns: after write(2), close(2), or only after fsync(2).
enum class Promise : std::uint8_t { kWrite, kClose, kFsync };

// A word of ssh_config(5), spelt as there.
struct SshOption {
  std::string name;
  std::string value;
  friend bool operator==(const SshOption&, const SshOption&) = default;
};

struct VsockAddress {
  std::uint32_t cid = 0;
  std::uint32_t port = 0;
  friend bool operator==(const VsockAddress&, const VsockAddress&) = default;
};

// What the kernel does with a mount. A server's file modes are not to be trusted with set-uid
// bits or devices, so those are off until asked for.
struct MountFlags {
  bool read_only = false;
  bool nosuid = true;
  bool nodev = true;
  bool noexec = false;
  bool noatime = false;
  bool sync = false;
  bool dirsync = false;
  std::vector<std::string> security_contexts;  // "context=...", for SELinux
  friend bool operator==(const MountFlags&, const MountFlags&) = default;
};

struct Config {
  // What is mounted where.
  Source source;
  std::string mountpoint;
  std::string mount_namespace;  // where: a file of nsfs; empty: our own
  std::string fsname;           // the first column of /proc/mounts; empty: the source as written
  std::string subtype = "sftpfs";
  MountFlags flags;

  // How the programme runs.
  bool foreground = false;
  bool debug = false;
  bool fake = false;    // check everything, mount nothing
  bool check = false;   // connect and look at the directory, mount nothing
  bool sloppy = false;  // unknown options are warnings
  bool verbose = false;
  bool remount = false;               // change a mount that is there
  bool nonempty = false;              // mount over a mount of the same source
  std::optional<LogLevel> log_level;  // unset: what LogLevel of ssh_config says, or info
  std::string run_as_user;            // setuid=
  bool sandbox = true;                // give up rights that serving does not need

  // Who may do what.
  bool allow_other = false;
  bool allow_root = false;
  bool default_permissions = false;
  bool auto_unmount = false;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> umask;
  std::optional<bool> create_owner_caller;  // unset: where that is what a local disk would do
  bool local_locks = true;
  IdMapping idmap = IdMapping::kNone;
  std::string uid_file;
  std::string gid_file;
  bool nomap_ignore = false;

  // Links.
  bool follow_symlinks = false;
  bool transform_symlinks = false;
  bool contain_symlinks = false;
  bool disable_hardlink = false;

  // The connection.
  Transport transport = Transport::kAuto;
  bool lazy_connect = false;               // mount first
  std::optional<std::uint32_t> retry_min;  // how long to try for the first connection
  bool background_retry = false;           // bg
  unsigned max_conns = 4;
  unsigned max_channels = 8;  // of one connection
  unsigned workers = 0;       // 0: as worker_count() derives it
  bool soft = false;          // operations fail after timeo_s instead of waiting for the server
  double timeo_s = 60;
  std::chrono::seconds umount_timeout{30};  // for unsent data
  std::vector<std::string> ssh_command;     // empty: ssh
  std::string sftp_server;                  // a subsystem, or a path to execute; empty: sftp
  bool password_stdin = false;
  std::string password_file;  // its first line is the password
  bool systemd_ask_password = false;
  // SFTP without SSH.
  std::optional<std::uint16_t> directport;
  std::optional<VsockAddress> vsock;
  bool passive = false;       // over standard input and output
  bool plain_crypto = false;  // OpenSSL's own AES-CTR, without key stream made ahead

  // ssh_config. Unset ones are left to ~/.ssh/config; the rest of what was given is ssh_options.
  std::string ssh_config_file;  // -F
  std::optional<std::uint16_t> port;
  std::vector<std::string> identity_files;
  std::optional<std::string> strict_host_key_checking;
  std::optional<std::string> user_known_hosts_file;
  std::optional<std::string> global_known_hosts_file;
  std::optional<std::uint32_t> connect_timeout_s;
  std::optional<std::uint32_t> server_alive_interval_s;
  std::optional<std::uint32_t> server_alive_count_max;
  std::vector<SshOption> ssh_options;
  std::vector<std::string> ssh_only;   // names given that only ssh(1) can honour
  std::vector<std::string> ssh_hints;  // names given that libssh2 will ignore

  // Caches. Unset times keep the file system's own, adaptive ones.
  std::uint64_t cache_size_bytes = 64 << 20;
  std::uint64_t block_size_bytes = 128 << 10;
  std::uint64_t readahead_bytes_max = 32 << 20;
  std::uint64_t dirty_bytes_max = 16 << 20;
  double entry_timeout_s = 1;
  double attr_timeout_s = 1;
  std::optional<double> negative_timeout_s;
  bool dir_cache = true;
  std::optional<double> stat_cache_timeout_s;  // attributes, and with them names
  std::optional<double> attr_lifetime_min_s;   // bounds of what is adaptive
  std::optional<double> attr_lifetime_max_s;
  std::optional<bool> close_to_open;  // none: yes, but for durability=fsync
  Promise durability = Promise::kClose;
  bool direct_io = false;
  bool async_reads = false;
  bool kernel_cache = false;
  bool sync_writes = false;  // sshfs_sync

  std::vector<MountOption> words;  // all of the above, as given
  friend bool operator==(const Config&, const Config&) = default;
};

// What the options say together.
Status validate(const Config& config);

// The value of one of ssh_options, or nullptr.
const std::string* find_ssh_option(const Config& config, std::string_view name);

// Threads of a machine with so many cores: more only shuffle requests between them.
unsigned worker_count(const Config& config, unsigned cores);

// The first column of /proc/mounts.
const std::string& fsname_of(const Config& config);

// The typed ssh_config words and the others, in the order given: for `ssh -oName=value`.
std::vector<SshOption> all_ssh_options(const Config& config);

// The words for fuse_session_new's -o; join_options() makes its argument of them.
std::vector<std::string> fuse_mount_options(const Config& config);

}  // namespace sftpfs::app
