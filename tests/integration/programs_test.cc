// Real programmes on the mount: tar and diff, git, rsync.
#include <fstream>
#include <string>

#include "integration/mounted_test.h"
#include "support/temp_dir.h"

namespace sftpfs::test {
namespace {

class Programs : public MountedTest {
 protected:
  // No configuration of the machine, and the same commits on each run.
  static ProcessOptions git_options(const std::string& directory) {
    ProcessOptions options;
    options.directory = directory;
    options.environment = {"GIT_CONFIG_GLOBAL=/dev/null",
                           "GIT_CONFIG_NOSYSTEM=1",
                           "GIT_AUTHOR_NAME=Test",
                           "GIT_AUTHOR_EMAIL=test@example.invalid",
                           "GIT_COMMITTER_NAME=Test",
                           "GIT_COMMITTER_EMAIL=test@example.invalid",
                           "GIT_AUTHOR_DATE=1700000000 +0000",
                           "GIT_COMMITTER_DATE=1700000000 +0000",
                           "GIT_TERMINAL_PROMPT=0"};
    return options;
  }
};
INSTANTIATE_ON_ALL_MOUNTS(Programs);

// A repository with some hundred files, links, a branch and a merge.
void make_repository(const std::string& path, const ProcessOptions& options) {
  must_run({"git", "init", "-q", "-b", "main", path}, options);
  for (int commit = 0; commit < 10; ++commit) {
    for (int file = 0; file < 30; ++file) {
      const std::string dir = path + "/dir" + std::to_string(file % 7);
      must_run({"mkdir", "-p", dir});
      std::ofstream(dir + "/file" + std::to_string(commit * 100 + file))
          << std::string(static_cast<std::size_t>(file) * 997, 'a') << commit << '\n';
    }
    must_run({"ln", "-sfn", "dir" + std::to_string(commit % 7), path + "/link"});
    must_run({"git", "add", "-A"}, options);
    must_run({"git", "commit", "-q", "-m", "commit " + std::to_string(commit)}, options);
    if (commit == 5) must_run({"git", "branch", "topic"}, options);
  }
  must_run({"git", "checkout", "-q", "topic"}, options);
  std::ofstream(path + "/side") << "side\n";
  must_run({"git", "add", "-A"}, options);
  must_run({"git", "commit", "-q", "-m", "side"}, options);
  must_run({"git", "checkout", "-q", "main"}, options);
  must_run({"git", "merge", "-q", "--no-edit", "topic"}, options);
}

TEST_P(Programs, TarOfALargeTreeIsTheSameTree) {
  const TempDir local;
  must_run({"tar", "-C", "/usr", "-cf", local.file("include.tar"), "include"});
  must_run({"tar", "-C", mount_->path(), "-xf", local.file("include.tar")});
  must_run({"diff", "-r", "--no-dereference", "/usr/include", server_.root() + "/include"});
  mount_again();
  must_run({"diff", "-r", "--no-dereference", "/usr/include", mount_->file("include")});
  must_run({"tar", "-C", mount_->path(), "-df", local.file("include.tar")});
}

TEST_P(Programs, ATreeIsRemovedCompletely) {
  must_run({"cp", "-a", "/usr/include/linux", mount_->file("tree")});
  must_run({"rm", "-r", mount_->file("tree")});
  EXPECT_EQ(must_run({"ls", "-A", server_.root()}).output, "");
}

TEST_P(Programs, GitCloneIsConsistentAndClean) {
  const TempDir local;
  const std::string source = local.make_dir("source");
  make_repository(source, git_options(source));
  const std::string clone = mount_->file("clone");
  must_run({"git", "clone", "-q", "--no-local", source, clone}, git_options("/"));
  const ProcessOptions options = git_options(clone);
  EXPECT_EQ(must_run({"git", "status", "--porcelain"}, options).output, "");
  must_run({"git", "fsck", "--strict", "--full"}, options);
  std::ofstream(clone + "/new") << "new\n";
  must_run({"git", "add", "new"}, options);
  must_run({"git", "commit", "-q", "-m", "on the mount"}, options);
  must_run({"git", "checkout", "-q", "topic"}, options);
  must_run({"git", "checkout", "-q", "main"}, options);
  must_run({"git", "gc", "-q"}, options);
  must_run({"git", "fsck", "--strict", "--full"}, options);
  EXPECT_EQ(must_run({"git", "status", "--porcelain"}, options).output, "");
  mount_again();
  const ProcessOptions after = git_options(mount_->file("clone"));
  must_run({"git", "fsck", "--strict", "--full"}, after);
  EXPECT_EQ(must_run({"git", "status", "--porcelain"}, after).output, "");
  EXPECT_EQ(must_run({"git", "show", "--format=", "--name-only"}, after).output, "new\n");
}

TEST_P(Programs, GitInitAndCommitsOnTheMountItself) {
  const std::string path = mount_->file("repository");
  must_run({"mkdir", path});
  make_repository(path, git_options(path));
  must_run({"git", "fsck", "--strict", "--full"}, git_options(path));
  EXPECT_EQ(must_run({"git", "status", "--porcelain"}, git_options(path)).output, "");
  must_run({"git", "-c", "safe.directory=*", "-C", server_.root() + "/repository", "fsck"},
           git_options("/"));
}

TEST_P(Programs, RsyncTransfersNothingTheSecondTime) {
  const Arguments rsync{"rsync", "-a", "-i", "--stats", "/usr/include/", mount_->file("copy/")};
  must_run(rsync);
  must_run({"diff", "-r", "--no-dereference", "/usr/include", server_.root() + "/copy"});
  const std::string again = must_run(rsync).output;
  EXPECT_NE(again.find("Number of regular files transferred: 0\n"), std::string::npos) << again;
  EXPECT_NE(again.find("Number of created files: 0\n"), std::string::npos) << again;
  EXPECT_EQ(again.find("\nNumber of files:"), 0U) << "something was changed:\n" << again;
  mount_again();
  const std::string cold =
      must_run({"rsync", "-a", "-i", "/usr/include/", mount_->file("copy/")}).output;
  EXPECT_EQ(cold, "");
}

}  // namespace
}  // namespace sftpfs::test
