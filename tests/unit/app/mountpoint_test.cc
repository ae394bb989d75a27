// See app/mountpoint.h. What needs mounts happens in a child with a mount namespace of its own.
#include "app/mountpoint.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include "ctl/mount_table.h"
#include "support/mounts.h"
#include "support/temp_dir.h"
#include "unit/app/child_process.h"

namespace sftpfs::app {
namespace {

constexpr uid_t kNobody = 65534;

Config config_for(const std::string& mountpoint) {
  Config config;
  config.source = *parse_source("joe@host:/data");
  config.mountpoint = mountpoint;
  return config;
}

// The prepared path, or the error's words.
std::string prepare(const Config& config) {
  const Result<Mountpoint> mountpoint = prepare_mountpoint(config);
  return mountpoint ? mountpoint->path : mountpoint.error().describe();
}

TEST(Mountpoint, ADirectoryIsNamedAsTheKernelNamesIt) {
  const test::TempDir dir;
  const std::string target = dir.make_dir("target");
  ASSERT_EQ(::symlink(target.c_str(), dir.file("link").c_str()), 0);
  EXPECT_EQ(prepare(config_for(target)), target);
  EXPECT_EQ(prepare(config_for(target + "///")), target);
  EXPECT_EQ(prepare(config_for(dir.file("link"))), target);
  EXPECT_EQ(prepare(config_for(dir.path() + "/./target/../link/")), target);
  if (::geteuid() == 0) {
    EXPECT_EQ(prepare(config_for("/")), "/");
  }
}

TEST(Mountpoint, WhatIsMissingOrNoDirectoryIsNamedWithTheCure) {
  const test::TempDir dir;
  const std::string missing = dir.file("missing");
  EXPECT_EQ(prepare(config_for(missing)),
            "mount point '" + missing + "': no such directory; make it with: mkdir -p " + missing);
  const std::string file = dir.file("file");
  std::ofstream(file) << "x";
  EXPECT_EQ(prepare(config_for(file)), "mount point '" + file + "': not a directory");
}

TEST(Mountpoint, APassedDeviceIsTakenAndAnythingElseRefused) {
  const UniqueFd device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::string path = "/dev/fd/" + std::to_string(device.get());
  const Result<Mountpoint> mountpoint = prepare_mountpoint(config_for(path));
  ASSERT_TRUE(mountpoint) << mountpoint.error().describe();
  EXPECT_EQ(mountpoint->fuse_fd, device.get());
  EXPECT_EQ(mountpoint->path, path);

  for (const char* wrong : {"/dev/fd/", "/dev/fd/x", "/dev/fd/987654", "/dev/fd/99999999999"}) {
    EXPECT_FALSE(prepare_mountpoint(config_for(wrong))) << wrong;
  }
  Pipe pipe;
  EXPECT_FALSE(prepare_mountpoint(config_for("/dev/fd/" + std::to_string(pipe.read_end.get()))));
}

TEST(Mountpoint, AUserIsToldWhatFusermountWouldRefuse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const test::TempDir dir;
  const std::string readable = dir.make_dir("readable");
  const std::string closed = dir.make_dir("closed");
  ::chmod(readable.c_str(), 0755);
  ::chmod(closed.c_str(), 0700);
  ChildProcess child([&](const ChildSide& side) {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return 1;
    side.say(prepare(config_for(readable)) + "\n");
    side.say(prepare(config_for(closed)) + "\n");
    side.say(prepare(config_for(closed + "/deeper")) + "\n");
    return 0;
  });
  EXPECT_EQ(child.hear_line(),
            "mount point '" + readable + "': only root may mount on a directory you may not write");
  EXPECT_EQ(child.hear_line(), "mount point '" + closed + "': you may not read it");
  EXPECT_EQ(child.hear_line(), "mount point '" + closed + "/deeper': you may not look at it");
  EXPECT_EQ(child.exit_code(), 0);
}

// A FUSE mount without a server behind it: alive while `device` is open, then dead.
UniqueFd mount_fuse(const std::string& where, const std::string& type, const std::string& source) {
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) return {};
  const std::string data =
      "fd=" + std::to_string(device.get()) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount(source.c_str(), where.c_str(), type.c_str(), MS_NOSUID | MS_NODEV, data.c_str()) !=
      0) {
    return {};
  }
  return device;
}

bool enter_private_namespace() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

std::string top_type(const std::string& path) {
  const Result<std::vector<ctl::MountEntry>> table = ctl::read_mount_table();
  const auto top = table ? ctl::find_mount(*table, path) : std::nullopt;
  return top ? top->type : "nothing";
}

// Runs `body` where mounts are nobody else's, and gives back the lines it says.
class MountpointNamespace : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "needs root and /dev/fuse";
    }
  }
  std::string in_namespace(const std::function<std::string(const std::string& dir)>& body) {
    const std::string mountpoint = dir_.make_dir("mnt");
    ChildProcess child([&](const ChildSide& side) {
      if (!enter_private_namespace()) return 1;
      side.say(body(mountpoint) + "\n");
      return 0;
    });
    const std::string line = child.hear_line();
    EXPECT_EQ(child.exit_code(), 0);
    return line;
  }
  std::string prefix() const { return "mount point '" + dir_.file("mnt") + "': "; }

 private:
  test::TempDir dir_;
};

TEST_F(MountpointNamespace, DeadMountsOfOursAreDetachedHoweverMany) {
  const std::string said = in_namespace([](const std::string& dir) {
    for (int i = 0; i < 3; ++i) {
      if (!mount_fuse(dir, "fuse.sftpfs", "other@host:/")) return std::string("cannot mount");
    }
    const std::string before = top_type(dir);
    const std::string prepared = prepare(config_for(dir + "/"));
    return before + " " + (prepared == dir ? "prepared" : prepared) + " " + top_type(dir);
  });
  EXPECT_EQ(said, "fuse.sftpfs prepared nothing");
}

TEST_F(MountpointNamespace, AFakeMountClearsNothingAway) {
  const std::string said = in_namespace([](const std::string& dir) {
    if (!mount_fuse(dir, "fuse.sftpfs", "joe@host:/data")) return std::string("cannot mount");
    Config config = config_for(dir);
    config.fake = true;
    const bool refused = prepare(config) != dir;
    return (refused ? "refused " : "taken ") + top_type(dir);
  });
  EXPECT_EQ(said, "refused fuse.sftpfs");
}

TEST_F(MountpointNamespace, DeadMountsOfOthersAreLeftToThem) {
  const std::string said = in_namespace([](const std::string& dir) {
    if (!mount_fuse(dir, "fuse.sshfs", "joe@host:/data")) return std::string("cannot mount");
    return prepare(config_for(dir)) + " | " + top_type(dir);
  });
  EXPECT_NE(said.find(prefix() + "a dead mount (fuse.sshfs) is in the way; detach it with: "
                                 "fusermount3 -u -z "),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("| fuse.sshfs"), std::string::npos);
}

// Answers just enough of FUSE for the mount to be alive: INIT, and GETATTR of the root.
void serve_root(int device) {
  std::array<char, 1 << 17> request{};
  while (::read(device, request.data(), request.size()) > 0) {
    fuse_in_header in{};
    std::memcpy(&in, request.data(), sizeof(in));
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_write = 4096;
    fuse_attr_out attributes{};
    attributes.attr.ino = FUSE_ROOT_ID;
    attributes.attr.mode = S_IFDIR | 0755;
    attributes.attr.nlink = 2;
    fuse_out_header out{};
    out.unique = in.unique;
    iovec parts[2] = {{&out, sizeof(out)}, {nullptr, 0}};
    if (in.opcode == FUSE_INIT) {
      parts[1] = {&init, sizeof(init)};
    } else if (in.opcode == FUSE_GETATTR) {
      parts[1] = {&attributes, sizeof(attributes)};
    } else {
      out.error = -ENOSYS;
    }
    out.len = static_cast<std::uint32_t>(sizeof(out) + parts[1].iov_len);
    [[maybe_unused]] const ssize_t replied = ::writev(device, parts, 2);
  }
}

// A live mount, served by a process that ends with this object.
class LiveMount {
 public:
  LiveMount(const std::string& where, const std::string& type, const std::string& source) {
    const UniqueFd device = mount_fuse(where, type, source);
    server_ = ::fork();
    if (server_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve_root(device.get());
      ::_exit(0);
    }
  }
  ~LiveMount() {
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
  }
  LiveMount(const LiveMount&) = delete;
  LiveMount& operator=(const LiveMount&) = delete;

 private:
  pid_t server_ = -1;
};

TEST_F(MountpointNamespace, TheSameSourceIsNotMountedTwiceUnlessAsked) {
  const std::string said = in_namespace([](const std::string& dir) {
    const LiveMount mount(dir, "fuse.sftpfs", "joe@host:/data");
    Config config = config_for(dir);
    const Result<Mountpoint> refused = prepare_mountpoint(config);
    if (refused) return std::string("not refused");
    config.nonempty = true;
    const bool asked = prepare(config) == dir;
    config.nonempty = false;
    config.fsname = "something else";
    const bool other = prepare(config) == dir;
    return refused.error().describe() + (asked ? " asked" : "") + (other ? " other" : "");
  });
  EXPECT_EQ(said, prefix() +
                      "joe@host:/data is mounted there already (nonempty mounts it again)"
                      " asked other");
}

TEST_F(MountpointNamespace, AnAutomounterIsNeitherWokenNorTakenForAMount) {
  const std::string said = in_namespace([](const std::string& dir) {
    // An automounter of another process group: whatever wakes it waits for an answer.
    Pipe requests;
    const pid_t other = ::fork();
    if (other == 0) {
      ::setpgid(0, 0);
      ::pause();
      ::_exit(0);
    }
    ::setpgid(other, other);
    const std::string data = "fd=" + std::to_string(requests.write_end.get()) +
                             ",pgrp=" + std::to_string(other) + ",minproto=5,maxproto=5,direct";
    std::string outcome = "no autofs";
    if (::mount("test", dir.c_str(), "autofs", 0, data.c_str()) == 0) {
      const Result<Mountpoint> mountpoint = prepare_mountpoint(config_for(dir + "/"));
      pollfd woken{requests.read_end.get(), POLLIN, 0};
      outcome = !mountpoint                 ? mountpoint.error().describe()
                : !mountpoint->has_autofs   ? "not seen"
                : ::poll(&woken, 1, 0) != 0 ? "woken"
                                            : "seen and left asleep";
    }
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
    return outcome;
  });
  if (said == "no autofs") GTEST_SKIP() << "the kernel has no autofs";
  EXPECT_EQ(said, "seen and left asleep");
}

}  // namespace
}  // namespace sftpfs::app
