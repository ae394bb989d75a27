// Promises about the options that change how owners and links are shown.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "support/test_mount.h"

namespace sftpfs::test {
namespace {

constexpr uid_t kTheirs = 12345;
constexpr uid_t kOurs = 1;  // daemon
constexpr uid_t kNobody = 65534;

class Shown : public testing::Test {
 protected:
  void mount(const std::vector<std::string>& words) {
    MountOptions options;
    options.extra = words;
    mount_ = std::make_unique<TestMount>(server_, options);
  }
  std::string remote(const std::string& name) const { return server_.root() + "/" + name; }
  void link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), remote(name).c_str()), 0);
  }
  static uid_t owner(const std::string& path) {
    struct stat attributes {};
    EXPECT_EQ(::lstat(path.c_str(), &attributes), 0) << path;
    return attributes.st_uid;
  }
  // The target, or the errno's text.
  std::string target(const std::string& name) const {
    std::string text(4096, '\0');
    const ssize_t size = ::readlink(mount_->file(name).c_str(), text.data(), text.size());
    if (size < 0) return std::to_string(errno);
    text.resize(static_cast<std::size_t>(size));
    return text;
  }

  TestServer server_;
  std::unique_ptr<TestMount> mount_;
};

TEST_F(Shown, OwnersByFileBothWaysAndNobodyIsHidden) {
  std::ofstream(remote("mapped")) << "m";
  std::ofstream(remote("stranger")) << "s";
  ASSERT_EQ(::chown(remote("mapped").c_str(), kTheirs, 0), 0);
  ASSERT_EQ(::chown(remote("stranger").c_str(), 777, 0), 0);
  const std::string uids = server_.file("uids");
  std::ofstream(uids) << "daemon:" << kTheirs << "\nroot:0\n";
  mount({"idmap=file", "uidfile=" + uids});
  EXPECT_EQ(owner(mount_->file("mapped")), kOurs);
  EXPECT_EQ(owner(mount_->file("stranger")), kNobody);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(mount_->path())) {
    names.insert(entry.path().filename());
  }
  EXPECT_EQ(names, (std::set<std::string>{"mapped", "stranger"}));
  std::ofstream(mount_->file("new")) << "n";
  ASSERT_EQ(::chown(mount_->file("new").c_str(), kOurs, static_cast<gid_t>(-1)), 0);
  EXPECT_EQ(owner(remote("new")), kTheirs);
  EXPECT_EQ(owner(mount_->file("new")), kOurs);
  EXPECT_EQ(::chown(mount_->file("new").c_str(), 777, static_cast<gid_t>(-1)), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(Shown, OwnersByUser) {
  // Whose login directory belongs to root, as whom the test mounts.
  std::ofstream(remote("file")) << "m";
  mount({"idmap=user"});
  EXPECT_EQ(owner(mount_->file("file")), ::getuid());
}

TEST_F(Shown, WhatLinksLeadToInTheirPlace) {
  ASSERT_EQ(::mkdir(remote("directory").c_str(), 0755), 0);
  std::ofstream(remote("directory/file")) << "text";
  link("directory", "to_directory");
  link("directory/file", "to_file");
  link("nowhere", "dangling");
  mount({"follow_symlinks"});
  EXPECT_TRUE(
      std::filesystem::is_directory(std::filesystem::symlink_status(mount_->file("to_directory"))));
  EXPECT_TRUE(
      std::filesystem::is_regular_file(std::filesystem::symlink_status(mount_->file("to_file"))));
  std::string text;
  std::ifstream(mount_->file("to_directory/file")) >> text;
  EXPECT_EQ(text, "text");
  // Also where a listing has told of them.
  for (const auto& entry : std::filesystem::directory_iterator(mount_->path())) {
    EXPECT_FALSE(std::filesystem::is_symlink(entry.symlink_status())) << entry.path();
  }
  EXPECT_EQ(::access(mount_->file("dangling").c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(Shown, AbsoluteLinksToBelowAsRelativeOnes) {
  ASSERT_EQ(::mkdir(remote("a").c_str(), 0755), 0);
  std::ofstream(remote("file")) << "text";
  link(remote("file"), "a/inside");
  link("/etc/passwd", "a/outside");
  mount({"transform_symlinks"});
  EXPECT_EQ(target("a/inside"), "../file");
  EXPECT_EQ(target("a/outside"), "/etc/passwd");
  std::string text;
  std::ifstream(mount_->file("a/inside")) >> text;
  EXPECT_EQ(text, "text");
}

TEST_F(Shown, NoLinkThatLeadsOut) {
  ASSERT_EQ(::mkdir(remote("a").c_str(), 0755), 0);
  std::ofstream(remote("file")) << "text";
  link("../file", "a/inside");
  link(remote("file"), "a/absolute");
  link(".", "here");
  link("../../file", "a/above");
  link("/etc/passwd", "outside");
  link("here/../../etc/passwd", "winding");
  mount({"contain_symlinks"});
  EXPECT_EQ(target("a/inside"), "../file");
  EXPECT_EQ(target("a/absolute"), "../file");
  EXPECT_EQ(target("here"), ".");
  const std::string refused = std::to_string(EPERM);
  EXPECT_EQ(target("a/above"), refused);
  EXPECT_EQ(target("outside"), refused);
  EXPECT_EQ(target("winding"), refused);
  // They can be seen and removed all the same.
  EXPECT_EQ(::unlink(mount_->file("outside").c_str()), 0);
}

TEST_F(Shown, NoHardLinksWhereTheyAreSwitchedOff) {
  std::ofstream(remote("file")) << "text";
  mount({"disable_hardlink"});
  EXPECT_EQ(::link(mount_->file("file").c_str(), mount_->file("second").c_str()), -1);
  EXPECT_EQ(errno, EPERM);
}

}  // namespace
}  // namespace sftpfs::test
