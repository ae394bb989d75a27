// Lines of fstab as people have them for sshfs, with the one word changed: each is mounted by
// mount -a, looked at, written to, and unmounted by umount(8).
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "integration/helper_scene.h"
#include "integration/mounted_test.h"
#include "support/mounts.h"

namespace sftpfs::test {
namespace {

enum class Kind { kWritable, kReadOnly };

struct Line {
  const char* words;  // besides those that name the test's own server and keys
  Kind kind = Kind::kWritable;
  const char* options = "";  // what the mount table must show
};

// clang-format off
constexpr Line kLines[] = {
    {"defaults"},
    {"defaults,_netdev"},
    {"rw,nosuid,nodev,relatime", Kind::kWritable, "nosuid,nodev"},
    {"ro", Kind::kReadOnly},
    {"rw,ro,_netdev", Kind::kReadOnly},
    {"_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=10min,x-systemd.mount-timeout=30s"},
    {"auto,x-systemd.automount,_netdev,users,idmap=user,allow_other,reconnect", Kind::kWritable, "allow_other"},
    {"x-systemd.automount,_netdev,user,idmap=user,transform_symlinks,allow_other,default_permissions,uid=1000,gid=1000"},
    {"delay_connect,_netdev,reconnect"},
    {"lazy_connect,_netdev"},
    {"reconnect,ServerAliveInterval=15,ServerAliveCountMax=3"},
    {"reconnect,ServerAliveInterval=5,ServerAliveCountMax=2,compression=no"},
    {"allow_other,kernel_cache,auto_cache,reconnect,compression=no"},
    {"allow_other,default_permissions,umask=0022,uid=0,gid=0", Kind::kWritable, "default_permissions"},
    {"cache=yes,kernel_cache,compression=no,large_read,big_writes"},
    {"nonempty,big_writes,hard_remove,intr,nolocalcaches,noatime", Kind::kWritable, "noatime"},
    {"cache_timeout=115200,attr_timeout=115200,entry_timeout=1200,max_readahead=90000,big_writes"},
    {"dcache_timeout=300,dcache_stat_timeout=5,dcache_max_size=50000,dcache_clean_interval=60"},
    {"async_read"},
    {"dir_cache=no,direct_io,sshfs_sync"},
    {"max_conns=8,max_read=65536,max_write=65536"},
    {"max_conns=1"},
    {"workaround=rename,no_readahead,sync_readdir"},
    {"workaround=renamexdev:nodelay"},
    {"no_contain_symlinks,follow_symlinks,disable_hardlink"},
    {"rw,noexec,nosuid,nodev,user=root", Kind::kWritable, "noexec"},
    {"rw,users,owner,group,nouser"},
    {"rw,sync,dirsync", Kind::kWritable, "sync"},
    {"rw,suid,dev"},
    {"rw,diratime,nodiratime,norelatime,strictatime,nostrictatime,lazytime,nolazytime"},
    {"rw,iversion,silent,loud"},
    {"comment=backup\\040of\\040host,_netdev"},
    {"x-gvfs-show,x-gvfs-name=Server,X-mount.mkdir=0755"},
    {"_netdev,x-systemd.requires=network-online.target,x-systemd.device-timeout=10"},
    {"Ciphers=aes128-ctr,transport=ssh"},
    {"transport=ssh,Compression=yes,ControlMaster=no"},
    {"ConnectTimeout=10,ConnectionAttempts=3,TCPKeepAlive=yes,BatchMode=yes"},
    {"sftp_server=/usr/lib/openssh/sftp-server"},
    {"fsname=backup#1,subtype=sshfs"},
    {"auto_unmount,clone_fd,max_idle_threads=20,readdirplus=auto"},
    {"writeback_cache=no,unreliable_append"},
    {"transport=libssh2,workers=2,max_conns=4,cache_size=64M,block_size=256K,max_dirty=128M"},
    {"soft,timeo=45,umount_timeout=1m,log_level=debug"},
    {"retry=1,fg,hard"},
    {"idmap=none,noforget"},
    {"Port=%PORT%,LogLevel=QUIET,GSSAPIAuthentication=no"},
};
// clang-format on

class FstabLines : public testing::Test {
 protected:
  std::string line(const Line& each, const std::string& type) {
    std::string words = each.words;
    if (const std::size_t at = words.find("%PORT%"); at != std::string::npos) {
      words.replace(at, 6, std::to_string(scene_.server().port()));
    }
    // The user's words come last, so that they win.
    return scene_.source() + " " + scene_.mount_point() + " " + type +
           " port=" + std::to_string(scene_.server().port()) +
           ",IdentityFile=" + scene_.server().user_key() +
           ",UserKnownHostsFile=" + scene_.server().known_hosts() + ",StrictHostKeyChecking=yes," +
           words + " 0 0";
  }
  HelperScene scene_;
};

TEST_F(FstabLines, EachMountsServesAndUnmounts) {
  const std::string type = HelperScene::type();
  static_assert(std::size(kLines) >= 40);
  int count = 0;
  std::ofstream(scene_.server().root() + "/there") << "text";
  for (const Line& each : kLines) {
    SCOPED_TRACE(each.words);
    scene_.write_fstab(line(each, (++count % 2 == 0 ? "fuse." : "") + type));
    const Outcome outcome = scene_.mount_all();
    ASSERT_TRUE(outcome.ok()) << outcome.describe();
    EXPECT_EQ(scene_.mount_count(), 1);
    // mount(8) knows a line again by its source; who renames that has to live with a refusal.
    const bool renamed = std::string(each.words).starts_with("fsname=");
    EXPECT_EQ(scene_.mount_all().ok(), !renamed) << "mount -a twice";
    EXPECT_EQ(scene_.mount_count(), 1);
    const auto entry = mount_at(scene_.mount_point());
    ASSERT_TRUE(entry);
    std::string wanted = each.options;
    while (!wanted.empty()) {
      const std::string word = wanted.substr(0, wanted.find(','));
      wanted.erase(0, word.size() + 1);
      EXPECT_NE(("," + entry->options + ",").find("," + word + ","), std::string::npos)
          << word << " is not among " << entry->options;
    }
    EXPECT_EQ(run({"cat", scene_.mount_point() + "/there"}).output, "text");
    const std::string file = "/file" + std::to_string(count);
    std::ofstream(scene_.mount_point() + file) << each.words;
    EXPECT_EQ(std::filesystem::exists(scene_.server().root() + file), each.kind == Kind::kWritable);
    EXPECT_EQ(scene_.unmount(), "");
  }
}

// A directory with blanks in its name, here and there, as fstab writes them.
TEST_F(FstabLines, BlanksAreWrittenInOctal) {
  std::filesystem::create_directory(scene_.server().root() + "/two words");
  std::ofstream(scene_.server().root() + "/two words/file") << "text";
  std::filesystem::create_directory(scene_.file("my mount"));
  scene_.write_fstab(scene_.source() + "/two\\040words " + scene_.file("my\\040mount") +
                     " sftpfs " + scene_.words() + " 0 0");
  const Outcome outcome = scene_.mount_all();
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_EQ(run({"cat", scene_.file("my mount") + "/file"}).output, "text");
  EXPECT_TRUE(scene_.run_here({"umount", scene_.file("my mount")}).ok());
}

TEST_F(FstabLines, FindmntFindsNothingWrong) {
  scene_.write_fstab(line({"_netdev,nofail"}, "fuse.sftpfs"));
  const Outcome outcome = run({"findmnt", "--verify", "--tab-file", scene_.file("fstab")}, {},
                              std::chrono::seconds(10));
  EXPECT_EQ(outcome.output.find("[E]"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace sftpfs::test
