// See errno_map.h.
#include "fs/errno_map.h"

#include <cerrno>

#include "sftp/types.h"

namespace sftpfs::fs {
namespace {

// Later drafts of the protocol have words for more; some servers use them in version 3, too.
int from_later_status(std::uint32_t status) {
  switch (status) {
    case sftp::kFxWriteProtect: return EROFS;
    case sftp::kFxFileAlreadyExists: return EEXIST;
    case sftp::kFxNoSpace: return ENOSPC;
    case sftp::kFxQuotaExceeded: return EDQUOT;
    case sftp::kFxDirNotEmpty: return ENOTEMPTY;
    case sftp::kFxNotADirectory: return ENOTDIR;
    case sftp::kFxInvalidFilename: return EINVAL;
    case sftp::kFxLinkLoop: return ELOOP;
    case sftp::kFxCannotDelete: return EPERM;
    case sftp::kFxFileIsADirectory: return EISDIR;
    default: return 0;
  }
}

// OpenSSH's sftp-server maps ENOENT, ENOTDIR, EBADF and ELOOP to NO_SUCH_FILE, EPERM, EACCES and
// EFAULT to PERMISSION_DENIED, ENAMETOOLONG and EINVAL to BAD_MESSAGE, ENOSYS to OP_UNSUPPORTED
// and all the rest to FAILURE (sftp-server.c, errno_to_portable).
int from_status(std::uint32_t status, Attempt attempt) {
  switch (status) {
    case sftp::kFxNoSuchFile: return ENOENT;
    case sftp::kFxPermissionDenied: return attempt == Attempt::kChange ? EPERM : EACCES;
    case sftp::kFxOpUnsupported: return EOPNOTSUPP;
    case sftp::kFxBadMessage: return EINVAL;
    case sftp::kFxNoConnection:
    case sftp::kFxConnectionLost: return EIO;
    case sftp::kFxEof: return attempt == Attempt::kRead ? EIO : ENOENT;
    default: break;
  }
  if (const int exact = from_later_status(status); exact != 0) return exact;
  switch (attempt) {
    case Attempt::kRemoveDir: return ENOTEMPTY;
    case Attempt::kCreate: return EEXIST;
    case Attempt::kRemove: return EPERM;
    default: return EIO;
  }
}

}  // namespace

int to_errno(const Error& error, Attempt attempt) {
  switch (error.code()) {
    case ErrorCode::kSystem: return error.os_errno() != 0 ? error.os_errno() : EIO;
    case ErrorCode::kSftpStatus: return from_status(error.sftp_status(), attempt);
    case ErrorCode::kTimedOut: return ETIMEDOUT;
    case ErrorCode::kCancelled: return EINTR;
    case ErrorCode::kUnsupported: return EOPNOTSUPP;
    case ErrorCode::kInvalid: return EINVAL;
    case ErrorCode::kAuthentication:
    case ErrorCode::kHostKey: return EACCES;
    case ErrorCode::kShutdown: return ENOTCONN;
    case ErrorCode::kConnectionLost:
    case ErrorCode::kProtocol:
    case ErrorCode::kBusy: return EIO;
  }
  return EIO;
}

}  // namespace sftpfs::fs
