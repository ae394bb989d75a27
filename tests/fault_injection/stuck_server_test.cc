// A server that is well but takes its time: who waits for it can be interrupted and killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "fault_injection/faulty_scene.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

constexpr std::chrono::seconds kSoon{10};
constexpr std::chrono::milliseconds kLimit{1000};

struct Victim {
  const char* name;
  Request stuck_at;                  // where the server gets stuck, so that the victim waits
  std::vector<std::string> command;  // "@" is the mount point
};

std::ostream& operator<<(std::ostream& out, const Victim& victim) { return out << victim.name; }

// None of them catches signals: dd does, and then waits in the close(2) of its own clean-up.
const Victim kVictims[] = {
    {"lookup", Request::kLstat, {"stat", "@/never_seen"}},
    {"getattr", Request::kAny, {"stat", "@/file"}},
    {"open", Request::kOpen, {"cat", "@/file"}},
    {"read", Request::kRead, {"cat", "@/file"}},
    {"readdir", Request::kReaddir, {"ls", "@/directory"}},
    {"unlink", Request::kRemove, {"rm", "@/file"}},
    {"statfs", Request::kStatvfs, {"df", "@"}},
    {"create", Request::kOpen, {"touch", "@/new"}},
    {"write", Request::kWrite, {"cp", "/dev/zero", "@/big"}},
    {"fsync", Request::kFsync, {"sync", "@/file"}},
    {"fsync_of_bytes",
     Request::kFsync,
     {"perl", "-MIO::Handle", "-e", "open F, '>', '@/big'; syswrite F, 'bytes'; F->sync"}},
    {"close", Request::kWrite, {"cp", "/etc/passwd", "@/big"}},
};

class StuckServer : public testing::TestWithParam<Victim> {
 protected:
  StuckServer() : scene_({"cache=no", "attr_timeout=0", "entry_timeout=0", "max_dirty=1M"}) {
    std::ofstream(scene_.on_server("file")) << std::string(4 << 20, 'x');
    std::filesystem::create_directory(scene_.on_server("directory"));
  }
  // The victim, once the server is stuck with what it asked for.
  std::unique_ptr<Process> start() {
    Arguments arguments = GetParam().command;
    for (std::string& word : arguments) {
      const std::size_t at = word.find('@');
      if (at != std::string::npos) word.replace(at, 1, scene_.mount().path());
    }
    scene_.script().get_stuck_at(GetParam().stuck_at);
    auto victim = std::make_unique<Process>(arguments);
    EXPECT_TRUE(scene_.script().wait_stuck(Deadline(kSoon)));
    return victim;
  }
  void expect_ends(Process& victim, int signal) {
    EXPECT_TRUE(victim.running());
    victim.signal(signal);
    EXPECT_TRUE(victim.wait(Deadline(kLimit)))
        << "still there after a second: " << describe_process(victim.pid());
    scene_.script().resume();
    EXPECT_TRUE(victim.wait(Deadline(kSoon)));
  }
  // The mount is not the worse for it.
  void expect_works() {
    EXPECT_EQ(run({"cat", scene_.file("after")}, {}, kSoon).exit_code, 1);
    std::ofstream(scene_.on_server("after")) << "text";
    EXPECT_EQ(run({"cat", scene_.file("after")}, {}, kSoon).output, "text");
    EXPECT_EQ(scene_.mount().unmount(), "") << scene_.mount().log();
  }

  FaultyScene scene_;
};

TEST_P(StuckServer, LetsSigintThrough) {
  const auto victim = start();
  expect_ends(*victim, SIGINT);
  expect_works();
}

TEST_P(StuckServer, LetsSigkillThrough) {
  const auto victim = start();
  expect_ends(*victim, SIGKILL);
  expect_works();
}

INSTANTIATE_TEST_SUITE_P(Victims, StuckServer, testing::ValuesIn(kVictims),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace sftpfs::test
