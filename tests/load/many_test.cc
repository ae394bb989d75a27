// Promises about numbers: open files, processes, names, mounts. It slows down, nothing fails, and
// the daemon takes no more memory than the documents say.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/unique_fd.h"
#include "load/memory_use.h"
#include "load/sizes.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {
namespace {

// For this process, the server and the daemon alike; called before they are started.
void allow_descriptors(rlim_t count) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_max = std::max(limit.rlim_max, count);
  limit.rlim_cur = std::max(limit.rlim_cur, count);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0) << std::strerror(errno);
}

TEST(Load, ThousandsOfFilesAreOpenAtOnce) {
  const int count = load_size(2000, 10'000);
  allow_descriptors(static_cast<rlim_t>(count) + 1000);
  const TestServer server;
  const TestMount mount(server);
  std::vector<UniqueFd> files;
  for (int i = 0; i < count; ++i) {
    const std::string path = mount.file("f" + std::to_string(i));
    files.emplace_back(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_TRUE(files.back()) << i << ": " << std::strerror(errno);
    const std::string text = "file " + std::to_string(i);
    ASSERT_EQ(::write(files.back().get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  for (int i = 0; i < count; ++i) {
    char bytes[32] = {};
    const ssize_t size = ::pread(files[static_cast<std::size_t>(i)].get(), bytes, sizeof bytes, 0);
    ASSERT_GT(size, 0) << i << ": " << std::strerror(errno);
    ASSERT_EQ(std::string(bytes, static_cast<std::size_t>(size)), "file " + std::to_string(i));
  }
  for (UniqueFd& file : files) ASSERT_EQ(::close(file.release()), 0) << std::strerror(errno);
  MemoryUse use;
  use.inodes = static_cast<std::size_t>(count);
  use.open_files = use.inodes;
  expect_memory(mount, memory_bytes_max(use));
}

// One process of many: makes, writes, reads, renames and removes.
std::string work_in(const std::string& directory, int number) {
  const std::string name = directory + "/p" + std::to_string(number);
  const std::string moved = name + ".moved";
  const std::string text(3000, static_cast<char>('a' + number % 26));
  UniqueFd file(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return name + ": open: " + std::strerror(errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return name + ": write";
  }
  if (::close(file.release()) != 0) return name + ": close: " + std::strerror(errno);
  if (::rename(name.c_str(), moved.c_str()) != 0) return name + ": rename";
  if (::access(name.c_str(), F_OK) == 0) return name + ": still there";
  file = UniqueFd(::open(moved.c_str(), O_RDONLY | O_CLOEXEC));
  std::string back(text.size() + 1, '\0');
  const ssize_t size = ::read(file.get(), back.data(), back.size());
  if (size != static_cast<ssize_t>(text.size())) return name + ": read";
  back.resize(text.size());
  if (back != text) return name + ": other bytes";
  if (number % 2 == 0 && ::unlink(moved.c_str()) != 0) return name + ": unlink";
  return "";
}

TEST(Load, ManyProcessesWorkInOneDirectory) {
  const int count = load_size(100, 1000);
  allow_descriptors(static_cast<rlim_t>(count) * 4 + 1000);
  const TestServer server;
  const TestMount mount(server);
  const auto work = [&](int number) { return work_in(mount.path(), number); };
  for (const std::string& complaint : run_in_children(count, work, std::chrono::minutes(5))) {
    EXPECT_EQ(complaint, "");
  }
  MemoryUse use;
  use.inodes = static_cast<std::size_t>(count);
  use.open_files = use.inodes;
  expect_memory(mount, memory_bytes_max(use));
}

TEST(Load, ADirectoryOfManyNamesIsListedWhole) {
  const auto count = static_cast<std::size_t>(load_size(20'000, 1'000'000));
  const TestServer server;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = server.root() + "/name" + std::to_string(i);
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_TRUE(file) << std::strerror(errno);
  }
  const TestMount mount(server);
  std::unordered_set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(mount.path().c_str()), &::closedir);
  ASSERT_NE(dir, nullptr);
  while (const dirent* entry = ::readdir(dir.get())) {
    ASSERT_TRUE(names.insert(entry->d_name).second) << entry->d_name << " is shown twice";
  }
  EXPECT_EQ(names.size(), count + 2);  // "." and ".."
  for (std::size_t i = 0; i < count; i += count / 1000) {
    struct stat attributes {};
    ASSERT_EQ(::stat(mount.file("name" + std::to_string(i)).c_str(), &attributes), 0) << i;
  }
  MemoryUse use;
  // The kernel is told of what it looks up only; the rest are names.
  constexpr std::size_t kLookedUp = 20'000;
  use.inodes = std::min(count, kLookedUp);
  use.listed_names = count;
  expect_memory(mount, memory_bytes_max(use));
}

TEST(Load, ManyMountsOfOneServer) {
  const int count = load_size(10, 100);
  ServerOptions with;
  with.config = {"MaxStartups 1000"};
  const TestServer server(with);
  std::vector<std::unique_ptr<TestMount>> mounts;
  for (int i = 0; i < count; ++i) mounts.push_back(std::make_unique<TestMount>(server));
  const auto work = [&](int number) {
    const auto own = static_cast<std::size_t>(number);
    return work_in(mounts[own]->path(), number);
  };
  for (const std::string& complaint : run_in_children(count, work)) EXPECT_EQ(complaint, "");
  for (const auto& mount : mounts) EXPECT_EQ(mount->unmount(), "");
}

}  // namespace
}  // namespace sftpfs::test
