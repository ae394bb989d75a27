// Which errno an application sees for which error, operation by operation.
#include "fs/errno_map.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sftp/types.h"

namespace sftpfs::fs {
namespace {

constexpr Attempt kAttempts[] = {Attempt::kLookup, Attempt::kOpen,     Attempt::kOpenToWrite,
                                 Attempt::kCreate, Attempt::kRead,     Attempt::kWrite,
                                 Attempt::kChange, Attempt::kRemove,   Attempt::kRemoveDir,
                                 Attempt::kRename, Attempt::kReadLink, Attempt::kStatFs,
                                 Attempt::kCopy};

int of_status(std::uint32_t status, Attempt attempt) {
  return to_errno(Error::sftp(status), attempt);
}

TEST(ErrnoMap, ASystemErrorStaysWhatItIs) {
  for (const Attempt attempt : kAttempts) {
    EXPECT_EQ(to_errno(Error::system(EXDEV), attempt), EXDEV);
    EXPECT_EQ(to_errno(Error::system(0), attempt), EIO) << "never 0";
  }
}

TEST(ErrnoMap, AMissingFileIsENOENTEverywhere) {
  for (const Attempt attempt : kAttempts) {
    EXPECT_EQ(of_status(sftp::kFxNoSuchFile, attempt), ENOENT);
  }
}

TEST(ErrnoMap, ADeniedChangeIsEPERMAndAllElseEACCES) {
  for (const Attempt attempt : kAttempts) {
    EXPECT_EQ(of_status(sftp::kFxPermissionDenied, attempt),
              attempt == Attempt::kChange ? EPERM : EACCES);
  }
}

TEST(ErrnoMap, AFailureMeansWhatTheOperationMostOftenFailsWith) {
  EXPECT_EQ(of_status(sftp::kFxFailure, Attempt::kCreate), EEXIST);
  EXPECT_EQ(of_status(sftp::kFxFailure, Attempt::kRemoveDir), ENOTEMPTY);
  EXPECT_EQ(of_status(sftp::kFxFailure, Attempt::kRemove), EPERM);
  for (const Attempt attempt : {Attempt::kLookup, Attempt::kOpen, Attempt::kRead, Attempt::kWrite,
                                Attempt::kChange, Attempt::kRename, Attempt::kCopy}) {
    EXPECT_EQ(of_status(sftp::kFxFailure, attempt), EIO);
  }
}

TEST(ErrnoMap, EveryStatusOfAServerIsAnError) {
  for (std::uint32_t status = 0; status < 40; ++status) {
    for (const Attempt attempt : kAttempts) EXPECT_GT(of_status(status, attempt), 0) << status;
  }
  EXPECT_EQ(of_status(sftp::kFxOpUnsupported, Attempt::kChange), EOPNOTSUPP);
  EXPECT_EQ(of_status(sftp::kFxBadMessage, Attempt::kCreate), EINVAL);
  EXPECT_EQ(of_status(sftp::kFxConnectionLost, Attempt::kRead), EIO);
}

TEST(ErrnoMap, WordsOfLaterDraftsAreUnderstood) {
  for (const Attempt attempt : kAttempts) {
    EXPECT_EQ(of_status(sftp::kFxWriteProtect, attempt), EROFS);
    EXPECT_EQ(of_status(sftp::kFxNoSpace, attempt), ENOSPC);
    EXPECT_EQ(of_status(sftp::kFxQuotaExceeded, attempt), EDQUOT);
    EXPECT_EQ(of_status(sftp::kFxDirNotEmpty, attempt), ENOTEMPTY);
    EXPECT_EQ(of_status(sftp::kFxFileAlreadyExists, attempt), EEXIST);
    EXPECT_EQ(of_status(sftp::kFxFileIsADirectory, attempt), EISDIR);
    EXPECT_EQ(of_status(sftp::kFxNotADirectory, attempt), ENOTDIR);
    EXPECT_EQ(of_status(sftp::kFxLinkLoop, attempt), ELOOP);
  }
}

TEST(ErrnoMap, EndedWaitsAreNamed) {
  const Attempt attempt = Attempt::kRead;
  EXPECT_EQ(to_errno(Error(ErrorCode::kCancelled), attempt), EINTR);
  EXPECT_EQ(to_errno(Error(ErrorCode::kTimedOut), attempt), ETIMEDOUT);
  EXPECT_EQ(to_errno(Error(ErrorCode::kShutdown), attempt), ENOTCONN);
}

TEST(ErrnoMap, EveryCodeHasAnErrno) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kShutdown); ++code) {
    for (const Attempt attempt : kAttempts) {
      EXPECT_GT(to_errno(Error(static_cast<ErrorCode>(code)), attempt), 0) << code;
    }
  }
}

}  // namespace
}  // namespace sftpfs::fs
