// Random operations on the mount and on a local file, which must stay equal: one long sequence,
// and eight processes on files of one directory. SFTPFS_TEST_SEED repeats a run.
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <string>

#include "integration/mounted_test.h"
#include "integration/op_sequence.h"
#include "support/temp_dir.h"

namespace sftpfs::test {
namespace {

constexpr int kOperations = 20'000;
constexpr int kProcesses = 8;

class RandomOps : public MountedTest {
 protected:
  static std::uint64_t seed() {
    const char* text = std::getenv("SFTPFS_TEST_SEED");
    return text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
  }

  // Empty when `count` operations leave both files equal, also for a fresh mount's eyes.
  std::string run_sequence(const std::string& name, std::uint64_t seed, int count) const {
    OpSequence sequence(local_.file(name), mount_->file(name), seed);
    const std::string difference = sequence.run(count);
    return difference.empty() ? sequence.compare_all() : difference;
  }

  std::string compare_with_server(const std::string& name) const {
    return run({"cmp", local_.file(name), server_.root() + "/" + name}).output;
  }

  TempDir local_;
};
INSTANTIATE_ON_ALL_MOUNTS(RandomOps);

TEST_P(RandomOps, OneFileStaysEqualToALocalOne) {
  const std::uint64_t number = seed();
  SCOPED_TRACE("SFTPFS_TEST_SEED=" + std::to_string(number));
  EXPECT_EQ(run_sequence("file", number, kOperations), "");
  EXPECT_EQ(compare_with_server("file"), "");
}

TEST_P(RandomOps, EightProcessesInOneDirectory) {
  const std::uint64_t number = seed();
  SCOPED_TRACE("SFTPFS_TEST_SEED=" + std::to_string(number));
  const auto work = [&](int process) {
    const std::string name = "file" + std::to_string(process);
    return run_sequence(name, number + static_cast<std::uint64_t>(process),
                        kOperations / kProcesses);
  };
  for (const std::string& difference : run_in_children(kProcesses, work)) {
    EXPECT_EQ(difference, "");
  }
  for (int process = 0; process < kProcesses; ++process) {
    EXPECT_EQ(compare_with_server("file" + std::to_string(process)), "");
  }
}

// Each process makes, renames and removes names of its own, and all see the same directory.
TEST_P(RandomOps, EightProcessesChangeOneDirectory) {
  const auto work = [&](int process) -> std::string {
    const std::string name = mount_->file("p" + std::to_string(process) + "_");
    for (int i = 0; i < 60; ++i) {
      const std::string made = name + std::to_string(i);
      const std::string moved = name + "moved" + std::to_string(i);
      if (!run({"touch", made}).ok()) return "touch " + made;
      if (::rename(made.c_str(), moved.c_str()) != 0) return "rename " + made;
      if (::access(made.c_str(), F_OK) == 0) return "still there: " + made;
      if (i % 3 != 0 && ::unlink(moved.c_str()) != 0) return "unlink " + moved;
    }
    return "";
  };
  for (const std::string& complaint : run_in_children(kProcesses, work)) EXPECT_EQ(complaint, "");
  EXPECT_EQ(run({"ls", "-A", mount_->path()}).output, run({"ls", "-A", server_.root()}).output);
  EXPECT_EQ(run({"sh", "-c", "ls -A " + mount_->path() + " | wc -l"}).output,
            std::to_string(kProcesses * 20) + "\n");
}

}  // namespace
}  // namespace sftpfs::test
