// Processes that wait for a server that does not answer can be frozen: that is what a suspend, a
// container's pause and a checkpoint do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <list>
#include <string>

#include "base/unique_fd.h"
#include "fault/cgroup.h"
#include "fault/fault_scene.h"
#include "fault/operation_child.h"
#include "fault/operations.h"
#include "support/process.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFreezeLimit{2000};
constexpr std::chrono::seconds kSoon{15};
constexpr std::size_t kFileSize = 8 << 20;

class Freezer : public testing::TestWithParam<MountConfig> {
 protected:
  Freezer() : scene_({GetParam(), lasting_names()}) {}
  FaultScene scene_;
};
INSTANTIATE_TEST_SUITE_P(Mounts, Freezer, testing::ValuesIn(fault_configs()), ConfigName());

// The descriptions of those of `pids` that are not frozen look like this: state D.
std::string states(const std::list<OperationChild>& children) {
  std::string text;
  for (const OperationChild& child : children) {
    text += child.name() + ": " + process_state(child.pid()) + "\n";
  }
  return text;
}

template <class Call>
long again_when_interrupted(Call call) {
  while (true) {
    const long result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

int read_and_compare(const std::string& path, const std::string& text) {
  const long opened =
      again_when_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  const UniqueFd fd(static_cast<int>(opened));
  if (!fd) return errno;
  std::string read;
  std::string piece(64 << 10, '\0');
  while (true) {
    const long count =
        again_when_interrupted([&] { return ::read(fd.get(), piece.data(), piece.size()); });
    if (count < 0) return errno;
    if (count == 0) return read == text ? 0 : EILSEQ;
    read.append(piece.data(), static_cast<std::size_t>(count));
  }
}

TEST_P(Freezer, FreezesWhoeverWaits) {
  const auto hierarchy = Cgroup::find_hierarchy();
  // Without it nothing can be said; a run that skips is not a run that passed.
  if (!hierarchy) GTEST_SKIP() << "no writable cgroup2 hierarchy with a freezer (needs root)";
  Cgroup group(*hierarchy);
  std::list<OperationChild> children;
  for (const std::string& name : operation_names()) {
    children.emplace_back(make_operation(scene_, name, 1));
    group.add(children.back().pid());
  }
  scene_.strike(FaultKind::kBlackHole);
  for (OperationChild& child : children) child.go();
  for (const OperationChild& child : children) {
    EXPECT_TRUE(child.wait_blocked(Deadline(kSoon))) << child.name();
  }
  const auto begin = Deadline::Clock::now();
  group.freeze();
  const bool frozen = group.wait_frozen(Deadline(kFreezeLimit));
  const auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
  EXPECT_TRUE(frozen) << states(children);
  std::printf("frozen after %ld ms\n", static_cast<long>(took.count()));
  scene_.relay().cut(CutMode::kReset);
  scene_.relay().heal();
  group.thaw();
  for (const OperationChild& child : children) {
    EXPECT_TRUE(child.wait_gone(Deadline(kPatience))) << child.name();
  }
}

// A freeze looks like a signal to a call that waits: it ends with EINTR, and whoever calls again
// goes on where it was.
TEST_P(Freezer, AReaderGoesOnAfterTheThaw) {
  const auto hierarchy = Cgroup::find_hierarchy();
  if (!hierarchy) GTEST_SKIP() << "no writable cgroup2 hierarchy with a freezer (needs root)";
  const std::string text = noise(kFileSize, fault_seed());
  write_file(scene_.on_server("file"), text);

  Operation operation;
  operation.name = "reader";
  operation.act = [&text, path = scene_.on_mount("file")] { return read_and_compare(path, text); };
  Cgroup group(*hierarchy);
  OperationChild reader(std::move(operation));
  group.add(reader.pid());
  constexpr std::uint64_t kSomewhere = kFileSize / 3;
  scene_.relay().cut_at(Direction::kToClient, kSomewhere, CutMode::kBlackHole);
  reader.go();
  EXPECT_TRUE(scene_.relay().wait_cut(Deadline(kPatience)));
  EXPECT_TRUE(reader.wait_blocked(Deadline(kSoon)));
  group.freeze();
  EXPECT_TRUE(group.wait_frozen(Deadline(kFreezeLimit))) << process_state(reader.pid()) << "\n"
                                                         << kernel_stack(reader.pid());
  scene_.relay().cut(CutMode::kReset);
  scene_.relay().heal();
  group.thaw();
  const auto result = reader.wait_result(Deadline(kPatience));
  ASSERT_TRUE(result) << scene_.mount().log();
  EXPECT_EQ(result->error, 0);
}

}  // namespace
}  // namespace sftpfs::test
