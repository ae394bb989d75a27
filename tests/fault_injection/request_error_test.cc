// Other requests that fail on the server: who is told, who is not, and that the file goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "fault_injection/faulty_scene.h"

namespace sftpfs::test {
namespace {

class RequestError : public testing::Test {
 protected:
  std::string write_sync_close(const std::string& name) {
    return run_in_child([&] {
      Errors errors;
      const int fd = ::open(scene_.file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
      errors.note("open", fd);
      if (fd < 0) return errors.text();
      errors.note("write", write_piece(fd, 0));
      errors.note("fsync", ::fsync(fd));
      errors.note("close", ::close(fd));
      return errors.text();
    });
  }
  // After a fault the same works, and the bytes are there.
  void expect_works(const std::string& name) {
    scene_.script().fail_nothing();
    EXPECT_EQ(write_sync_close(name), "");
    EXPECT_TRUE(wrong_pieces(scene_.on_server(name), 1).empty());
  }

  FaultyScene scene_;
};

TEST_F(RequestError, OfAnFsyncIsReportedByIt) {
  scene_.script().fail(Request::kFsync, 1, SftpStatus::kFailure);
  EXPECT_EQ(write_sync_close("file"), "fsync: EIO");
  expect_works("file");
}

TEST_F(RequestError, OfAnFsyncOnAFullDiskIsReportedByIt) {
  scene_.script().fail(Request::kFsync, 1, SftpStatus::kFailure, true);
  const std::string errors = write_sync_close("file");
  EXPECT_TRUE(errors == "fsync: ENOSPC" || errors == "fsync: EIO") << errors;
  expect_works("file");
}

// The data are there: nothing has been lost that anybody could be told of.
TEST_F(RequestError, OfTheServersCloseHarmsNobody) {
  scene_.script().fail(Request::kClose, 1, SftpStatus::kFailure);
  EXPECT_EQ(write_sync_close("file"), "");
  expect_works("file");
}

TEST_F(RequestError, OfAskingForAttributesAfterAWriteHarmsNobody) {
  for (std::uint32_t n = 1; n <= 3; ++n) {
    scene_.script().fail(Request::kFstat, n, SftpStatus::kFailure);
    EXPECT_EQ(write_sync_close("file"), "") << "FSTAT " << n;
    expect_works("file");
  }
}

TEST_F(RequestError, OfAnOpenIsReportedByOpen) {
  expect_works("file");
  scene_.script().fail(Request::kOpen, 1, SftpStatus::kPermissionDenied);
  EXPECT_EQ(write_sync_close("file"), "open: EACCES");
  scene_.script().fail(Request::kOpen, 1, SftpStatus::kFailure);
  EXPECT_EQ(write_sync_close("file"), "open: EIO");
  expect_works("file");
}

TEST_F(RequestError, OfACreateIsReportedByOpen) {
  scene_.script().fail(Request::kOpen, 1, SftpStatus::kPermissionDenied);
  EXPECT_EQ(write_sync_close("new"), "open: EACCES");
  scene_.script().fail(Request::kOpen, 1, SftpStatus::kFailure, true);
  EXPECT_EQ(write_sync_close("new"), "open: ENOSPC");
  expect_works("new");
}

// libssh's server announces statvfs and does not have it.
TEST_F(RequestError, OfStatvfsThatIsAnnouncedAndLackingIsHiddenAndOthersAreNot) {
  struct statvfs space {};
  scene_.script().fail(Request::kStatvfs, 1, SftpStatus::kUnsupported);
  EXPECT_EQ(::statvfs(scene_.file("").c_str(), &space), 0) << std::strerror(errno);
  EXPECT_GT(space.f_bsize, 0U);
  scene_.script().fail(Request::kStatvfs, 1, SftpStatus::kFailure);
  EXPECT_EQ(::statvfs(scene_.file("").c_str(), &space), -1);
  EXPECT_EQ(errno, EIO);
  scene_.script().fail_nothing();
  EXPECT_EQ(::statvfs(scene_.file("").c_str(), &space), 0);
}

}  // namespace
}  // namespace sftpfs::test
