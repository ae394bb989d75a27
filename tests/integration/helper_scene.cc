// See helper_scene.h.
#include "integration/helper_scene.h"

#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/containment.h"
#include "support/mounts.h"
#include "support/process_table.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::chrono::seconds kSoon{10};

}  // namespace

HelperScene::HelperScene()
    : mount_point_(directory_.make_dir("mnt")),
      mark_("SFTPFS_TEST_HELPER=" + directory_.path()),
      sbin_(std::filesystem::canonical("/sbin").string()) {
  if (!in_private_namespaces()) throw TestError("needs root and a mount namespace of its own");
  cover_sbin();
}

HelperScene::~HelperScene() {
  detach_below(mount_point_);
  for (const pid_t pid : daemons()) ::kill(pid, SIGKILL);
  ::umount2(sbin_.c_str(), MNT_DETACH);
}

// Links to everything that was there, seen through a second mount of it, and the helpers. What was
// a link itself is followed first: it may be a relative one.
void HelperScene::cover_sbin() {
  const std::string original = directory_.make_dir("sbin_original");
  const std::string cover = directory_.make_dir("sbin");
  must(::mount(sbin_.c_str(), original.c_str(), nullptr, MS_BIND, nullptr), "bind " + sbin_);
  for (const auto& entry : std::filesystem::directory_iterator(original)) {
    const std::string name = entry.path().filename().string();
    std::error_code dangling;
    std::string target = std::filesystem::canonical(sbin_ + "/" + name, dangling).string();
    if (dangling) continue;
    if (target.compare(0, sbin_.size() + 1, sbin_ + "/") == 0) {
      target.replace(0, sbin_.size(), original);
    }
    std::filesystem::create_symlink(target, cover + "/" + name);
  }
  if (!mount_program_is_foreign()) {
    for (const char* type : {"sftpfs", "fuse.sftpfs"}) {
      const std::string mount = cover + "/mount." + type;
      const std::string umount = cover + "/umount." + type;
      std::filesystem::remove(mount);
      std::filesystem::remove(umount);
      std::filesystem::create_symlink(mount_program(), mount);
      std::filesystem::create_symlink(SFTPFS_CTL_PROGRAM, umount);
    }
  }
  must(::mount(cover.c_str(), sbin_.c_str(), nullptr, MS_BIND, nullptr), "bind to " + sbin_);
}

std::string HelperScene::type() {
  return mount_program_is_foreign() ? std::filesystem::path(mount_program()).filename().string()
                                    : "sftpfs";
}

std::string HelperScene::words(const std::vector<std::string>& extra,
                               const std::string& identity_file) const {
  MountOptions options;
  options.identity_file = identity_file;
  options.extra = extra;
  return join_words(mount_words(server_, options));
}

Outcome HelperScene::run_here(const Arguments& arguments) const {
  ProcessOptions options;
  options.environment = {mark_, "SSH_AUTH_SOCK", "HOME=" + directory_.path()};
  options.own_session = true;
  return run(arguments, options, std::chrono::seconds(60));
}

Outcome HelperScene::mount(const std::string& source, const std::string& words) const {
  return run_here({"mount", "-t", type(), source, mount_point_, "-o", words});
}

void HelperScene::write_fstab(const std::string& line) const {
  std::ofstream(file("fstab")) << line << '\n';
}

Outcome HelperScene::mount_all() const { return run_here({"mount", "-a", "-T", file("fstab")}); }

int HelperScene::mount_count() const {
  const std::vector<MountEntry> entries = mounted();
  return static_cast<int>(
      std::count_if(entries.begin(), entries.end(),
                    [this](const MountEntry& entry) { return entry.mount_point == mount_point_; }));
}

std::string HelperScene::unmount() const {
  const Outcome outcome = run_here({"umount", mount_point_});
  if (!outcome.ok()) return "umount: " + outcome.describe();
  const std::vector<pid_t> left = wait_environment_gone(mark_, Deadline(kSoon));
  return left.empty() ? "" : "processes left:" + describe_processes(left);
}

std::vector<pid_t> HelperScene::daemons() const { return processes_with_environment(mark_); }

}  // namespace sftpfs::test
