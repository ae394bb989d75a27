// Replies that the kernel does not take: what they counted is undone, so that nothing is kept for
// a lookup or a handle that nobody knows of.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "model/direct.h"
#include "model/scripted_kernel.h"
#include "support/process_table.h"

namespace sftpfs::model {
namespace {

constexpr std::uint64_t kRoot = fs::kRootInode;

std::string name_of(const char* name) { return std::string(name) + '\0'; }

template <class T>
std::string with_name(const T& in, const char* name) {
  return std::string(bytes_of_struct(in)) + name_of(name);
}

class RefusedReply : public ::testing::Test {
 protected:
  RefusedReply() : world_(Shape()), kernel_(world_) {
    std::ofstream(world_.directory() + "/file") << "text";
    std::filesystem::create_directory(world_.directory() + "/directory");
  }

  std::uint64_t lookup(const char* name) {
    return kernel_.ask(FUSE_LOOKUP, kRoot, name_of(name)).as<fuse_entry_out>().nodeid;
  }
  // Refuses the reply to a request that succeeded.
  void refuse(std::uint32_t opcode, std::uint64_t inode, const std::string& body) {
    EXPECT_EQ(kernel_.ask_and_refuse(opcode, inode, body).error, 0);
  }
  // Only what the kernel has taken is counted: `inode`, if not 0, once.
  void expect_idle_after_forgetting(std::uint64_t inode) {
    if (inode != 0) world_.fs().forget(inode, 1);
    EXPECT_TRUE(world_.wait(kernel_.shut_down()));
    world_.expect_idle();
  }

  World world_;
  ScriptedKernel kernel_;
};

TEST_F(RefusedReply, OnlyTheRefusedOneIsForgotten) {
  const std::uint64_t inode = lookup("file");
  refuse(FUSE_LOOKUP, kRoot, name_of("file"));
  EXPECT_EQ(world_.shared().inodes.size(), 2U);
  expect_idle_after_forgetting(inode);
}

TEST_F(RefusedReply, OfALookupIsForgotten) {
  refuse(FUSE_LOOKUP, kRoot, name_of("file"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfALookupOfNothingIsHarmless) {
  kernel_.ask_and_refuse(FUSE_LOOKUP, kRoot, name_of("nothing"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfAMkdirIsForgotten) {
  fuse_mkdir_in in{};
  in.mode = 0755;
  refuse(FUSE_MKDIR, kRoot, with_name(in, "new"));
  EXPECT_TRUE(std::filesystem::is_directory(world_.directory() + "/new"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfAMknodIsForgotten) {
  fuse_mknod_in in{};
  in.mode = S_IFREG | 0644;
  refuse(FUSE_MKNOD, kRoot, with_name(in, "new"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfASymlinkIsForgotten) {
  refuse(FUSE_SYMLINK, kRoot, name_of("new") + name_of("file"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfALinkIsForgotten) {
  const std::uint64_t inode = lookup("file");
  fuse_link_in in{};
  in.oldnodeid = inode;
  refuse(FUSE_LINK, kRoot, with_name(in, "new"));
  expect_idle_after_forgetting(inode);
}

TEST_F(RefusedReply, OfACreateIsForgottenAndItsHandleReleased) {
  fuse_create_in in{};
  in.flags = O_RDWR | O_CREAT;
  in.mode = S_IFREG | 0644;
  refuse(FUSE_CREATE, kRoot, with_name(in, "new"));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfAnOpenReleasesTheHandle) {
  const std::uint64_t inode = lookup("file");
  fuse_open_in in{};
  in.flags = O_RDWR;
  refuse(FUSE_OPEN, inode, std::string(bytes_of_struct(in)));
  expect_idle_after_forgetting(inode);
}

TEST_F(RefusedReply, OfAnOpendirReleasesTheHandle) {
  refuse(FUSE_OPENDIR, kRoot, std::string(bytes_of_struct(fuse_open_in{})));
  expect_idle_after_forgetting(0);
}

TEST_F(RefusedReply, OfAListingForgetsEveryEntry) {
  for (int i = 0; i < 20; ++i) {
    std::ofstream(world_.directory() + "/" + std::to_string(i)) << i;
  }
  const fuse_open_in open{};
  const std::uint64_t handle =
      kernel_.ask(FUSE_OPENDIR, kRoot, bytes_of_struct(open)).as<fuse_open_out>().fh;
  fuse_read_in in{};
  in.fh = handle;
  in.size = 1500;  // too small for them all
  refuse(FUSE_READDIRPLUS, kRoot, std::string(bytes_of_struct(in)));
  fuse_release_in release{};
  release.fh = handle;
  EXPECT_EQ(kernel_.ask(FUSE_RELEASEDIR, kRoot, bytes_of_struct(release)).error, 0);
  expect_idle_after_forgetting(0);
}

// A write in flight keeps the file busy; the loops must not end before its handle is released.
TEST_F(RefusedReply, UnmountingWaitsForItsHandle) {
  Direct direct(world_);
  const OpenedFile writer = direct.open("file", O_RDWR);
  const OpenedFile refused = direct.open("file", O_RDWR);
  for (const pid_t server : test::children_of(::getpid())) ::kill(server, SIGSTOP);
  EXPECT_EQ(direct.write(writer, 0, "more"), 0);
  world_.call(0, [&] {
    kernel_.channel().discard_handle(refused.handle);
    return true;
  });
  std::future<bool> ended = kernel_.shut_down();
  world_.settle();
  EXPECT_EQ(ended.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  for (const pid_t server : test::children_of(::getpid())) ::kill(server, SIGCONT);
  EXPECT_TRUE(world_.wait(std::move(ended)));
  EXPECT_EQ(world_.shared().files.size(), 1U);
  direct.release(writer);
  direct.forget_all();
  world_.expect_idle();
}

}  // namespace
}  // namespace sftpfs::model
