// A disk of the server that is really full: a small tmpfs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "fault_injection/faulty_scene.h"
#include "support/containment.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

constexpr int kDiskPieces = 32;

// In the namespace of the test's own; the last user's end takes it away.
class SmallDisk {
 public:
  SmallDisk() {
    if (!in_private_namespaces()) throw TestError("needs root and a mount namespace of its own");
    const std::string size = "size=" + std::to_string(kDiskPieces * kPieceSize);
    must(::mount("tmpfs", path().c_str(), "tmpfs", 0, size.c_str()), "mount tmpfs");
  }
  ~SmallDisk() { ::umount2(path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  const std::string& path() const { return directory_.path(); }

 private:
  TempDir directory_;
};

class FullDisk : public testing::Test {
 protected:
  // Writes until told that it cannot, as cp does, then closes.
  std::string fill(const std::string& name, bool sync) {
    return run_in_child([&] {
      Errors errors;
      const int fd = ::open(scene_.file(name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      errors.note("open", fd);
      for (std::uint64_t i = 0; errors.text().empty() && i < 4 * kDiskPieces; ++i) {
        errors.note("write", write_piece(fd, i));
      }
      if (sync) errors.note("fsync", ::fsync(fd));
      errors.note("close", ::close(fd));
      return errors.text();
    });
  }

  SmallDisk disk_;
  FaultyScene scene_{{}, disk_.path()};
};

TEST_F(FullDisk, IsReportedExactlyOnceAndUsableAgain) {
  for (const bool sync : {true, false}) {
    for (int round = 0; round < 10; ++round) {
      EXPECT_EQ(error_of(fill("large", sync)), "ENOSPC") << "round " << round;
      EXPECT_EQ(::unlink(scene_.file("large").c_str()), 0);
      const std::string errors = run_in_child([this] {
        Errors said;
        const int fd = ::open(scene_.file("small").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        said.note("open", fd);
        for (std::uint64_t i = 0; i < kDiskPieces / 2; ++i) said.note("write", write_piece(fd, i));
        said.note("fsync", ::fsync(fd));
        said.note("close", ::close(fd));
        return said.text();
      });
      EXPECT_EQ(errors, "") << "round " << round;
      EXPECT_TRUE(wrong_pieces(disk_.path() + "/small", kDiskPieces / 2).empty());
      EXPECT_EQ(::unlink(scene_.file("small").c_str()), 0);
    }
  }
}

TEST_F(FullDisk, RefusesNewFilesWithTheReason) {
  fill("large", true);
  const std::string errors = run_in_child([this] {
    Errors said;
    said.note("mkdir", ::mkdir(scene_.file("directory").c_str(), 0755));
    const int fd = ::open(scene_.file("another").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    said.note("open", fd);
    said.note("write", write_piece(fd, 0));
    said.note("close", ::close(fd));
    return said.text();
  });
  // A tmpfs has room for names even when it has none for bytes.
  EXPECT_EQ(error_of(errors), "ENOSPC") << errors;
}

}  // namespace
}  // namespace sftpfs::test
