// durability=fsync on a real mount over a line with a round trip: what was answered early is on the
// server when it was synced, when the mount has ended, and after the connection was cut.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"
#include "support/relay.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

// What every name below `root` is: content, target, or "directory"; with mode and time of files.
std::map<std::string, std::string> contents_of(const std::string& root) {
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    struct stat attributes {};
    if (::lstat(entry.path().c_str(), &attributes) != 0) return {{name, "vanished"}};
    if (entry.is_symlink()) {
      found[name] = "to " + std::filesystem::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      found[name] = "directory";
    } else {
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      found[name] =
          fmt::format("{:o} {} {}", attributes.st_mode, attributes.st_mtime, content.str());
    }
  }
  return found;
}

// The names that are not the same, and how.
std::string difference(const std::map<std::string, std::string>& shown,
                       const std::map<std::string, std::string>& there) {
  constexpr std::size_t kEnough = 60;
  std::map<std::string, std::pair<std::string, std::string>> all;
  for (const auto& [name, what] : shown) all[name].first = what;
  for (const auto& [name, what] : there) all[name].second = what;
  std::string text;
  for (const auto& [name, both] : all) {
    if (both.first == both.second) continue;
    text += fmt::format("{}: shown '{}', there '{}'\n", name, both.first.substr(0, kEnough),
                        both.second.substr(0, kEnough));
  }
  return text;
}

// Empty, or what failed.
std::string put(const std::string& path, const std::string& content) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return "open " + path;
  const ssize_t written = ::write(fd.get(), content.data(), content.size());
  if (written != static_cast<ssize_t>(content.size())) return "write " + path;
  return ::close(fd.release()) == 0 ? "" : "close " + path;
}

std::string sync_path(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd && ::fsync(fd.get()) == 0 ? "" : "fsync " + path;
}

// As programmes make trees: files of which some are renamed into their places, replaced, linked,
// changed or removed again.
std::string make_tree(const std::string& root, int directories) {
  if (::mkdir(root.c_str(), 0755) != 0) return "mkdir " + root;
  for (int d = 0; d < directories; ++d) {
    const std::string directory = fmt::format("{}/{}", root, d);
    if (::mkdir(directory.c_str(), 0755) != 0) return "mkdir " + directory;
    for (int i = 0; i < 12; ++i) {
      const std::string name = fmt::format("{}/{}", directory, i);
      std::string wrong = put(name + ".new", fmt::format("first {} {}", d, i));
      if (!wrong.empty()) return wrong;
      if (::rename((name + ".new").c_str(), name.c_str()) != 0) return "rename to " + name;
      if (i % 4 == 1) wrong = put(name + ".new", std::string(3000, static_cast<char>('a' + i)));
      if (!wrong.empty()) return wrong;
      if (i % 4 == 1 && ::rename((name + ".new").c_str(), name.c_str()) != 0) return "replace";
      if (i % 4 == 2 && ::link(name.c_str(), (name + ".link").c_str()) != 0) return "link";
      if (i % 4 == 3 && ::unlink(name.c_str()) != 0) return "unlink " + name;
      if (i % 6 == 0 && ::chmod(name.c_str(), 0600) != 0) return "chmod " + name;
    }
    if (::symlink("0", (directory + "/symlink").c_str()) != 0) return "symlink";
  }
  return "";
}

class DurabilityFsync : public testing::Test {
 protected:
  std::unique_ptr<TestMount> mount() {
    MountOptions options;
    options.port = relay_.port();
    options.extra = {"durability=fsync"};
    return std::make_unique<TestMount>(server_, options);
  }
  static RelayOptions far_away() {
    RelayOptions options;
    options.delay_to_server = options.delay_to_client = milliseconds(5);
    return options;
  }
  TestServer server_;
  Relay relay_{server_.port(), far_away()};
};

TEST_F(DurabilityFsync, ATreeIsOnTheServerWhenItsDirectoryIsSynced) {
  const auto mounted = mount();
  ASSERT_EQ(make_tree(mounted->file("tree"), 6), "");
  const auto shown = contents_of(mounted->file("tree"));
  ASSERT_EQ(sync_path(mounted->file("tree")), "");
  EXPECT_EQ(difference(shown, contents_of(mounted->file("tree"))), "");
  for (const auto& [name, what] : shown) {
    if (what.front() == '1') {  // a file
      ASSERT_EQ(sync_path(mounted->file("tree/" + name)), "");
    }
  }
  EXPECT_EQ(difference(shown, contents_of(server_.root() + "/tree")), "");
}

TEST_F(DurabilityFsync, UnmountingWaitsForEverything) {
  const auto mounted = mount();
  ASSERT_EQ(make_tree(mounted->file("tree"), 6), "");
  const auto shown = contents_of(mounted->file("tree"));
  EXPECT_EQ(mounted->unmount(), "");
  EXPECT_EQ(difference(shown, contents_of(server_.root() + "/tree")), "");
}

TEST_F(DurabilityFsync, ConnectionsThatAreCutLoseNothingAndRepeatNothing) {
  const auto mounted = mount();
  std::atomic<bool> ended{false};
  std::thread cutter([this, &ended] {
    for (int i = 0; i < 6 && !ended; ++i) {
      const std::uint64_t before = relay_.stats().bytes_to_server;
      while (!ended && relay_.stats().bytes_to_server < before + 15'000) std::this_thread::yield();
      relay_.cut(CutMode::kReset);
    }
  });
  const std::string wrong = make_tree(mounted->file("tree"), 10);
  const auto shown = contents_of(mounted->file("tree"));
  ended = true;
  cutter.join();
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(mounted->unmount(std::chrono::seconds(30)), "");
  EXPECT_EQ(difference(shown, contents_of(server_.root() + "/tree")), "");
}

}  // namespace
}  // namespace sftpfs::test
