// Promises about malicious servers: whatever they answer, the daemon stays up and small, no waiter
// is kept longer than he wants, no name leads out of its directory, and when the server is honest
// again so is the mount.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <system_error>

#include "base/unique_fd.h"
#include "fault_injection/faulty_scene.h"
#include "support/deadline.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

constexpr std::size_t kFileSize = 300'000;
constexpr int kFiles = 10;

std::string contents_of_file(int number) {
  std::string text;
  while (text.size() < kFileSize) text += "file " + std::to_string(number) + " ";
  text.resize(kFileSize);
  return text;
}

// An application that waits for nobody: what the server calls a FIFO the kernel makes one, and who
// opened that would wait for its other end.
UniqueFd open_impatiently(const std::string& path, int flags) {
  constexpr mode_t kMode = 0644;
  return UniqueFd(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC, kMode));
}

std::string read_file(const std::string& path) {
  const UniqueFd fd = open_impatiently(path, O_RDONLY);
  std::string text;
  std::array<char, 64 << 10> piece{};
  while (fd) {
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::multiset<std::string> names_in(const std::string& path) {
  std::multiset<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) names.insert(entry->d_name);
  return names;
}

void write_some(const std::string& path) {
  const UniqueFd fd = open_impatiently(path, O_WRONLY | O_CREAT);
  const std::string text(kFileSize, 'w');
  if (fd && ::write(fd.get(), text.data(), text.size()) > 0) ::fsync(fd.get());
}

// One application out of many; whether it succeeds is up to the server.
void do_something(const std::string& dir, int number) {
  const std::string file = dir + "/file" + std::to_string(number % kFiles);
  const std::string fresh = dir + "/new" + std::to_string(number);
  struct stat attributes {};
  struct statvfs space {};
  std::error_code ignored;
  switch (number % 8) {
    case 0: ::stat(file.c_str(), &attributes); break;
    case 1: read_file(file); break;
    case 2: names_in(dir); break;
    case 3: write_some(fresh); break;
    case 4:
      ::mkdir(fresh.c_str(), 0755);
      ::rmdir(fresh.c_str());
      break;
    case 5:
      if (::symlink("file0", fresh.c_str()) == 0) {
        static_cast<void>(std::filesystem::read_symlink(fresh, ignored));
      }
      ::unlink(fresh.c_str());
      break;
    case 6:
      ::rename(fresh.c_str(), (fresh + "x").c_str());
      ::chmod(file.c_str(), 0644);
      break;
    default: ::statvfs(file.c_str(), &space); break;
  }
}

class HostileServer : public testing::Test {
 protected:
  void make_files(FaultyScene& scene) {
    for (int i = 0; i < kFiles; ++i) {
      std::ofstream(scene.on_server("file" + std::to_string(i))) << contents_of_file(i);
    }
  }
  // When the server is honest again, at the latest when its lies have expired.
  void expect_all_is_well(FaultyScene& scene, const std::string& after) {
    const Deadline deadline(std::chrono::seconds(30));
    std::string wrong;
    do {
      wrong = run_in_child([&] {
        for (int i = 0; i < kFiles; ++i) {
          const std::string name = "file" + std::to_string(i);
          if (read_file(scene.file(name)) != contents_of_file(i)) return name;
        }
        return std::string();
      });
    } while (!wrong.empty() && !deadline.passed());
    EXPECT_EQ(wrong, "") << "after " << after;
  }
};

TEST_F(HostileServer, NeitherEndsNorHoldsNorFillsTheDaemon) {
  // Soft, so that who asks is answered although no answer is any good.
  FaultyScene scene({"soft", "timeo=0.3", "cache_size=4M", "cache=no"});
  make_files(scene);
  constexpr int kApplications = 16;
  constexpr auto kPatience = std::chrono::seconds(30);
  for (auto attack = Attack::kOversizedLength; attack < Attack::kEnd;
       attack = static_cast<Attack>(static_cast<std::uint32_t>(attack) + 1)) {
    // Nobody can tell where it ends but who reads it: see below.
    if (attack == Attack::kEndlessListing) continue;
    SCOPED_TRACE(attack_name(attack));
    scene.script()->attack = attack;
    const auto application = [&](int number) {
      do_something(scene.mount().path(), number);
      return std::string();
    };
    EXPECT_NO_THROW(run_in_children(kApplications, application, kPatience));
    EXPECT_GT(scene.script()->attacked.exchange(0), 0U) << "proves nothing";
    scene.script()->attack = Attack::kNone;
    ASSERT_FALSE(scene.mount().outcome()) << "the daemon has ended: " << scene.mount().log();
    expect_all_is_well(scene, attack_name(attack));
  }
  constexpr long kMemoryMaxKib = 256 << 10;
  EXPECT_LT(peak_memory_kib(scene.mount().daemon_pid()), kMemoryMaxKib);
}

TEST_F(HostileServer, OneEvilSessionIsReplacedAndNobodyNotices) {
  FaultyScene scene({"max_conns=4", "cache=no", "cache_size=1M"});
  make_files(scene);
  scene.script()->one_victim = true;
  for (auto attack = Attack::kOversizedLength; attack < Attack::kEnd;
       attack = static_cast<Attack>(static_cast<std::uint32_t>(attack) + 1)) {
    if (!is_seen_through(attack)) continue;
    SCOPED_TRACE(attack_name(attack));
    scene.script()->victim = 0;
    scene.script()->attacked = 0;
    scene.script()->attack = attack;
    constexpr int kReaders = 8;
    const auto wrong = run_in_children(kReaders, [&](int number) {
      const int file = number % kFiles;
      const bool right =
          read_file(scene.file("file" + std::to_string(file))) == contents_of_file(file);
      return right ? std::string() : "file" + std::to_string(file) + " is wrong";
    });
    for (const std::string& what : wrong) EXPECT_EQ(what, "");
    EXPECT_GT(scene.script()->attacked.load(), 0U) << "proves nothing";
  }
}

TEST_F(HostileServer, AnEndlessListingIsLeftByWhoeverHasSeenEnough) {
  FaultyScene scene({"cache=no"});
  make_files(scene);
  scene.script()->attack = Attack::kEndlessListing;
  run_in_child([&] {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(scene.mount().path().c_str()),
                                                  &::closedir);
    constexpr int kEnough = 20'000;
    for (int count = 0; dir && count < kEnough; ++count) {
      if (::readdir(dir.get()) == nullptr) return std::string("it has ended");
    }
    return std::string();
  });
  scene.script()->attack = Attack::kNone;
  expect_all_is_well(scene, attack_name(Attack::kEndlessListing));
  constexpr long kMemoryMaxKib = 256 << 10;
  EXPECT_LT(peak_memory_kib(scene.mount().daemon_pid()), kMemoryMaxKib);
}

TEST_F(HostileServer, NoNameLeadsOutOfItsDirectory) {
  FaultyScene scene({"cache=no"});
  make_files(scene);
  scene.script()->attack = Attack::kEvilNames;
  const std::multiset<std::string> names = names_in(scene.mount().path());
  scene.script()->attack = Attack::kNone;
  EXPECT_EQ(names.count("good"), 1U) << "the others do not hide what is right";
  for (const std::string& name : names) {
    EXPECT_EQ(name.find('/'), std::string::npos) << name;
    EXPECT_NE(name, "");
    EXPECT_LE(name.size(), 1024U) << "the kernel would show none of them";
  }
  EXPECT_LE(names.count("."), 1U);
  EXPECT_LE(names.count(".."), 1U);
}

}  // namespace
}  // namespace sftpfs::test
