// The server goes down and comes up again: what was open goes on, unless it is not there any more.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/containment.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr int kManyNames = 3000;
constexpr int kNamesBefore = 100;
constexpr std::size_t kFileSize = 24 << 20;
constexpr off_t kFarOffset = off_t{20} << 20;
constexpr std::size_t kPieceSize = 64 << 10;

class Reboot : public testing::TestWithParam<MountConfig> {
 protected:
  Reboot() : scene_({GetParam(), {}}) {}

  // What happens on the server while it is down is up to the test.
  void go_down() { scene_.server().kill_all(); }
  void come_up() { scene_.server().start_again(); }

  // A child with `name` open, which reads and writes far from what it has looked at before.
  OperationChild user_of(const std::string& name) {
    const auto fd = std::make_shared<int>(-1);
    Operation operation;
    operation.name = name;
    operation.prepare = [fd, path = scene_.on_mount(name)] {
      *fd = must(::open(path.c_str(), O_RDWR | O_CLOEXEC), "open " + path);
      std::string piece(kPieceSize, '\0');
      must(::pread(*fd, piece.data(), piece.size(), 0), "pread");
      must(::pwrite(*fd, "before", 6, 0), "pwrite");
      must(::fsync(*fd), "fsync");
    };
    operation.act = [fd] {
      std::string piece(kPieceSize, '\0');
      const ssize_t count = ::pread(*fd, piece.data(), piece.size(), kFarOffset);
      if (count < 0) return errno;
      if (piece != noise(kFileSize, fault_seed()).substr(kFarOffset, kPieceSize)) return EILSEQ;
      if (::pwrite(*fd, "after.", 6, kPieceSize) < 0) return errno;
      return error_of(::fsync(*fd));
    };
    return OperationChild(std::move(operation));
  }
  void make_file(const std::string& name) {
    write_file(scene_.on_server(name), noise(kFileSize, fault_seed()));
  }
  int finish(OperationChild& child) {
    child.go();
    const auto result = child.wait_result(Deadline(kPatience));
    EXPECT_TRUE(result) << child.name() << " does not end\n" << scene_.mount().log();
    return result ? result->error : -1;
  }

  FaultScene scene_;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Reboot, testing::ValuesIn(fault_configs()), ConfigName());

TEST_P(Reboot, AnOpenFileGoesOn) {
  make_file("untouched");
  OperationChild user = user_of("untouched");
  go_down();
  come_up();
  EXPECT_EQ(finish(user), 0) << scene_.mount().log();
  const std::string stored = read_file(scene_.on_server("untouched"));
  EXPECT_EQ(stored.substr(0, 6), "before");
  EXPECT_EQ(stored.substr(kPieceSize, 6), "after.");
}

TEST_P(Reboot, OnlyTheDescriptorOfAReplacedFileIsStale) {
  make_file("replaced");
  make_file("untouched");
  OperationChild stale = user_of("replaced");
  OperationChild fine = user_of("untouched");
  go_down();
  write_file(scene_.on_server("new"), "another file\n");
  must(::rename(scene_.on_server("new").c_str(), scene_.on_server("replaced").c_str()), "rename");
  come_up();
  EXPECT_EQ(finish(fine), 0) << scene_.mount().log();
  EXPECT_EQ(finish(stale), ESTALE) << scene_.mount().log();
  EXPECT_NE(scene_.mount().log().find("replaced"), std::string::npos) << scene_.mount().log();
  // Only the descriptor: the name works, and nothing of the old file was written to the new one.
  EXPECT_EQ(run({"cat", scene_.on_mount("replaced")}).output, "another file\n");
  EXPECT_EQ(read_file(scene_.on_server("replaced")), "another file\n");
}

TEST_P(Reboot, AnOpenFileThatWasRemovedIsStale) {
  make_file("removed");
  make_file("removed_elsewhere");
  OperationChild here = user_of("removed");
  OperationChild elsewhere = user_of("removed_elsewhere");
  ASSERT_EQ(run({"rm", scene_.on_mount("removed")}).exit_code, 0);
  go_down();
  must(::unlink(scene_.on_server("removed_elsewhere").c_str()), "unlink");
  come_up();
  EXPECT_EQ(finish(here), ESTALE) << scene_.mount().log();
  EXPECT_EQ(finish(elsewhere), ESTALE) << scene_.mount().log();
  EXPECT_NE(scene_.mount().log().find("removed_elsewhere"), std::string::npos);
  // Nothing was made anew.
  EXPECT_NE(::access(scene_.on_server("removed").c_str(), F_OK), 0);
  EXPECT_NE(::access(scene_.on_server("removed_elsewhere").c_str(), F_OK), 0);
}

TEST_P(Reboot, AHalfReadDirectoryGoesOn) {
  must(::mkdir(scene_.on_server("many").c_str(), 0755), "mkdir");
  for (int i = 0; i < kManyNames; ++i) {
    write_file(scene_.on_server("many/" + std::to_string(i)), "");
  }
  struct Listing {
    DIR* directory = nullptr;
    std::multiset<std::string> names;
  };
  const auto listing = std::make_shared<Listing>();
  Operation operation;
  operation.name = "many";
  operation.prepare = [listing, path = scene_.on_mount("many")] {
    listing->directory = ::opendir(path.c_str());
    if (listing->directory == nullptr) throw_errno("opendir " + path);
    for (int i = 0; i < kNamesBefore; ++i) {
      const dirent* entry = ::readdir(listing->directory);
      if (entry != nullptr) listing->names.insert(entry->d_name);
    }
  };
  operation.act = [listing] {
    errno = 0;
    while (const dirent* entry = ::readdir(listing->directory)) {
      listing->names.insert(entry->d_name);
    }
    if (errno != 0) return errno;
    for (int i = 0; i < kManyNames; ++i) {
      if (listing->names.count(std::to_string(i)) != 1) return EILSEQ;
    }
    return listing->names.size() == kManyNames + 2 ? 0 : EILSEQ;
  };
  OperationChild reader(std::move(operation));
  go_down();
  come_up();
  EXPECT_EQ(finish(reader), 0) << scene_.mount().log();
}

// In the tests' own mount namespace another file stands in for /etc/hosts.
class HostsFile {
 public:
  explicit HostsFile(const std::string& first_line) : path_(directory_.file("hosts")) {
    set(first_line);
    must(::mount(path_.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr), "mount /etc/hosts");
  }
  ~HostsFile() { ::umount2("/etc/hosts", MNT_DETACH); }
  HostsFile(const HostsFile&) = delete;
  HostsFile& operator=(const HostsFile&) = delete;
  void set(const std::string& line) const { write_file(path_, line + "\n"); }

 private:
  TempDir directory_;
  std::string path_;
};

// Whether somebody on this machine has a connection to `address`:`port`.
bool connected_to(const std::string& address, std::uint16_t port) {
  constexpr const char* kEstablished = "01";
  in_addr binary{};
  ::inet_pton(AF_INET, address.c_str(), &binary);
  std::ostringstream wanted;
  wanted << std::hex << std::uppercase;
  wanted.fill('0');
  wanted.width(8);
  wanted << binary.s_addr << ':';
  wanted.width(4);
  wanted << port;
  std::ifstream table("/proc/net/tcp");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string slot;
    std::string local;
    std::string remote;
    std::string state;
    words >> slot >> local >> remote >> state;
    if (remote == wanted.str() && state == kEstablished) return true;
  }
  return false;
}

class Moved : public testing::TestWithParam<MountConfig> {};
INSTANTIATE_TEST_SUITE_P(Mounts, Moved, testing::ValuesIn(fault_configs()), ConfigName());

TEST_P(Moved, AServerThatHasMovedIsFoundByItsName) {
  if (!in_private_namespaces()) GTEST_SKIP() << "only root can stand in for /etc/hosts";
  constexpr const char* kName = "moving.test";
  const HostsFile hosts(std::string("127.0.0.1 ") + kName);
  ServerOptions server_options;
  server_options.config = {"ListenAddress 127.0.0.2"};
  TestServer server(server_options);
  std::string known = read_file(server.known_hosts());
  known.replace(known.find("127.0.0.1"), 9, kName);
  write_file(server.file("known"), known);
  MountOptions options;
  options.config = GetParam();
  options.extra = {std::string("HostName=") + kName, "UserKnownHostsFile=" + server.file("known"),
                   "ConnectTimeout=3"};
  TestMount mount(server, options);
  EXPECT_TRUE(connected_to("127.0.0.1", server.port()));
  hosts.set(std::string("127.0.0.2 ") + kName);
  server.kill_all();
  server.start_again();
  const Outcome answer = run({"stat", "-f", mount.path()}, {}, kPatience);
  EXPECT_TRUE(answer.ok()) << answer.describe() << mount.log();
  EXPECT_TRUE(connected_to("127.0.0.2", server.port())) << mount.log();
}

}  // namespace
}  // namespace sftpfs::test
