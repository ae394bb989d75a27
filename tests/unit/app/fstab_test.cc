// Lines as people have them in fstab, on wikis and in scripts: every one must be understood, and
// what it relies on must arrive in the Config.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/command_line.h"

namespace sftpfs::app {
namespace {

struct Line {
  const char* options;  // as mount(8) passes them, or as a person types them
  bool (*holds)(const Config&);
  int warnings = 0;
};

bool anything(const Config&) { return true; }

const std::vector<Line>& corpus() {
  static const std::vector<Line> lines = {
      // What libmount hands over.
      {"rw", [](const Config& c) { return !c.flags.read_only && c.flags.nosuid && c.flags.nodev; }},
      {"ro", [](const Config& c) { return c.flags.read_only; }},
      {"rw,nosuid,nodev,noexec,relatime", [](const Config& c) { return c.flags.noexec; }},
      {"rw,noatime,nodev,nosuid,reconnect,nofail,_netdev,user,exec",
       [](const Config& c) { return c.flags.noatime && !c.flags.noexec; }},
      {"rw,noexec,nosuid,nodev,user=joe", [](const Config& c) { return c.flags.noexec; }},
      {"rw,user=joe,exec", [](const Config& c) { return !c.flags.noexec; }},
      {"rw,users,owner,group,nouser", anything},
      {"rw,sync,dirsync", [](const Config& c) { return c.flags.sync && c.flags.dirsync; }},
      {"rw,sync,async", [](const Config& c) { return !c.flags.sync; }},
      {"ro,rw,ro,rw", [](const Config& c) { return !c.flags.read_only; }},
      {"rw,suid,dev", [](const Config& c) { return !c.flags.nosuid && !c.flags.nodev; }},
      {"rw,diratime,nodiratime,norelatime,strictatime,nostrictatime,lazytime,nolazytime", anything},
      {"rw,iversion,mand,nomand,silent,loud,symfollow", anything},
      {"rw,context=\"system_u:object_r:httpd_t:s0:c1,c2\"",
       [](const Config& c) {
         return c.flags.security_contexts ==
                std::vector<std::string>{"context=system_u:object_r:httpd_t:s0:c1,c2"};
       }},
      {"rw,helper=sftpfs,uhelper=udisks2", anything},
      {"remount,ro", [](const Config& c) { return c.remount && c.flags.read_only; }},
      // What direct calls, busybox and autofs leave in.
      {"defaults,auto,noauto,nofail,comment=backup of host", anything},
      {"noauto,x-systemd.automount,x-systemd.idle-timeout=10min,x-systemd.mount-timeout=30s,_"
       "netdev",
       anything},
      {"x-gvfs-show,x-gvfs-name=Server,X-mount.mkdir=0755,X-custom", anything},
      {"defaults,_netdev,x-systemd.requires=network-online.target,x-systemd.device-timeout=10",
       anything},
      // sshfs lines.
      {"noauto,x-systemd.automount,_netdev,users,idmap=user,IdentityFile=/home/joe/.ssh/id_rsa,"
       "allow_other,reconnect",
       [](const Config& c) {
         return c.allow_other &&
                c.identity_files == std::vector<std::string>{"/home/joe/.ssh/id_rsa"} &&
                c.idmap == IdMapping::kUser;
       }},
      {"delay_connect,_netdev,user,idmap=user,transform_symlinks,identityfile=/root/.ssh/"
       "id_ed25519,"
       "allow_other,default_permissions,uid=1000,gid=1000",
       [](const Config& c) {
         return c.lazy_connect && c.default_permissions && c.uid == 1000U && c.gid == 1000U &&
                c.identity_files.size() == 1 && c.transform_symlinks;
       }},
      {"reconnect,ServerAliveInterval=15,ServerAliveCountMax=3",
       [](const Config& c) {
         return c.server_alive_interval_s == 15U && c.server_alive_count_max == 3U;
       }},
      {"port=2222,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null",
       [](const Config& c) {
         return c.port == 2222 && c.strict_host_key_checking == "no" &&
                c.user_known_hosts_file == "/dev/null";
       }},
      {"allow_other,kernel_cache,auto_cache,reconnect,compression=no",
       [](const Config& c) {
         return c.kernel_cache && *find_ssh_option(c, "Compression") == "no";
       }},
      {"allow_other,default_permissions,umask=0022,uid=0,gid=0",
       [](const Config& c) { return c.umask == 022U && c.uid == 0U; }},
      {"cache=yes,kernel_cache,compression=no,large_read,big_writes",
       [](const Config& c) { return c.dir_cache; }},
      {"nonempty,big_writes,hard_remove,intr,nolocalcaches,noatime",
       [](const Config& c) { return c.nonempty; }},
      {"cache_timeout=115200,attr_timeout=115200,entry_timeout=1200,max_readahead=90000,big_writes",
       [](const Config& c) {
         return c.attr_timeout_s == 115200 && c.entry_timeout_s == 1200 &&
                c.readahead_bytes_max == 90000 && c.stat_cache_timeout_s == 115200.0;
       }},
      {"dcache_timeout=300,dcache_stat_timeout=5,dcache_max_size=50000,dcache_clean_interval=60",
       [](const Config& c) { return c.stat_cache_timeout_s == 5.0; }},
      {"async_read", [](const Config& c) { return c.async_reads; }},
      {"async_read,sync_read", [](const Config& c) { return !c.async_reads; }},
      {"dir_cache=no,direct_io,sshfs_sync",
       [](const Config& c) { return !c.dir_cache && c.direct_io && c.sync_writes; }},
      {"max_conns=8,max_read=65536,max_write=65536",
       [](const Config& c) { return c.max_conns == 8; }},
      {"workaround=rename,no_readahead,sync_readdir", anything},
      {"no_contain_symlinks,follow_symlinks,disable_hardlink",
       [](const Config& c) {
         return !c.contain_symlinks && c.follow_symlinks && c.disable_hardlink;
       }},
      {"idmap=file,uidfile=/etc/uids,gidfile=/etc/gids,nomap=ignore",
       [](const Config& c) {
         return c.idmap == IdMapping::kFile && c.uid_file == "/etc/uids" && c.nomap_ignore;
       }},
      {"password_stdin,allow_root",
       [](const Config& c) { return c.password_stdin && c.allow_root; }},
      {"sftp_server=/usr/lib/openssh/sftp-server,ssh_command=sudo\\\\ -u\\\\ joe\\\\ ssh",
       [](const Config& c) {
         return c.sftp_server == "/usr/lib/openssh/sftp-server" &&
                c.ssh_command == std::vector<std::string>{"sudo -u joe ssh"};
       }},
      {"ssh_command=ssh -F /etc/ssh/mounts -o Tunnel=no",
       [](const Config& c) { return c.ssh_command.size() == 5; }},
      {"ProxyJump=gate.example.org,User=backup,HostName=10.0.0.7,HostKeyAlias=store",
       [](const Config& c) {
         return c.transport == Transport::kAuto &&
                *find_ssh_option(c, "ProxyJump") == "gate.example.org";
       }},
      {"ProxyCommand=sh -c \"nc -x proxy,backup %h %p\",Ciphers=aes128-gcm@openssh.com",
       [](const Config& c) {
         return *find_ssh_option(c, "ProxyCommand") == "sh -c \"nc -x proxy,backup %h %p\"";
       }},
      {"Ciphers=aes128-ctr\\,aes256-ctr,Compression=no,ControlMaster=no",
       [](const Config& c) { return *find_ssh_option(c, "Ciphers") == "aes128-ctr,aes256-ctr"; }},
      {"ConnectTimeout=10,ConnectionAttempts=3,TCPKeepAlive=yes,BatchMode=yes",
       [](const Config& c) { return c.connect_timeout_s == 10U; }},
      {"PubkeyAcceptedAlgorithms=+ssh-rsa,HostKeyAlgorithms=+ssh-rsa,RequiredRSASize=1024",
       [](const Config& c) { return c.ssh_options.size() == 3; }},
      {"IdentityFile=/a,IdentityFile=/b,IdentitiesOnly=yes,IdentityAgent=none",
       [](const Config& c) {
         return c.identity_files == std::vector<std::string>{"/a", "/b"};
       }},
      {"fsname=backup#1,subtype=sshfs",
       [](const Config& c) { return c.fsname == "backup#1" && c.subtype == "sshfs"; }},
      {"setuid=nobody,allow_other", [](const Config& c) { return c.run_as_user == "nobody"; }},
      {"auto_unmount,clone_fd,max_idle_threads=20,no_remote_lock,readdirplus=auto",
       [](const Config& c) { return c.auto_unmount; }},
      {"writeback_cache=no,unreliable_append", anything},
      // Our own.
      {"transport=libssh2,workers=2,max_conns=4,cache_size=1G,block_size=256K,max_dirty=128M",
       [](const Config& c) {
         return c.workers == 2 && c.cache_size_bytes == (1ULL << 30) &&
                c.block_size_bytes == (256ULL << 10) && c.dirty_bytes_max == (128ULL << 20);
       }},
      {"soft,timeo=45,umount_timeout=1m,log_level=debug",
       [](const Config& c) {
         return c.soft && c.timeo_s == 45 && c.umount_timeout == std::chrono::seconds(60) &&
                c.log_level == LogLevel::kDebug;
       }},
      {"soft,hard,intr", [](const Config& c) { return !c.soft; }},
      {"transport=auto,ssh_option=ObscureNewWord=yes",
       [](const Config& c) { return *find_ssh_option(c, "ObscureNewWord") == "yes"; }},
  };
  return lines;
}

Result<CommandLine> mount_with(const char* options) {
  const std::vector<const char*> arguments = {"/sbin/mount.sftpfs", "joe@host:/data", "/mnt/data",
                                              "-o", options};
  return parse_command_line(arguments);
}

TEST(Fstab, EveryLineOfTheCorpusIsUnderstood) {
  ASSERT_GE(corpus().size(), 40U);
  for (const Line& line : corpus()) {
    SCOPED_TRACE(line.options);
    const Result<CommandLine> parsed = mount_with(line.options);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_TRUE(line.holds(parsed->config));
    EXPECT_EQ(parsed->warnings.size(), static_cast<std::size_t>(line.warnings))
        << (parsed->warnings.empty() ? "" : parsed->warnings.front());
  }
}

TEST(Fstab, WhatCannotBeHonouredIsRefusedInOneLine) {
  for (const char* options : {"idmap=file",
                              "nomap=hide",
                              "nosymfollow",
                              "directport=1234,passive",
                              "vsock=3",
                              "vsock=3:99999999999",
                              "directport=0",
                              "passive,lazy_connect",
                              "slave,password_stdin",
                              "modules=subdir,subdir=/x",
                              "from_code=latin1",
                              "password=secret",
                              "ssh_protocol=1",
                              "blkdev",
                              "allow_other,allow_root",
                              "transport=libssh2,RevokedHostKeys=/r",
                              "soft,timeo=0",
                              "cache_size=64K,block_size=128K",
                              "workers=8,max_conns=4",
                              "transport=libssh2,ssh_command=ssh"}) {
    SCOPED_TRACE(options);
    const Result<CommandLine> parsed = mount_with(options);
    ASSERT_FALSE(parsed);
    EXPECT_TRUE(parsed.error().is(ErrorCode::kInvalid));
    EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos);
    EXPECT_EQ(parsed.error().message().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace sftpfs::app
