// See exit_code.h.
#include "app/exit_code.h"

namespace sftpfs::app {

ExitCode exit_code_for(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalid: return ExitCode::kUsage;
    case ErrorCode::kCancelled:
    case ErrorCode::kShutdown: return ExitCode::kInterrupted;
    case ErrorCode::kSystem:
    case ErrorCode::kSftpStatus:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kTimedOut:
    case ErrorCode::kProtocol:
    case ErrorCode::kAuthentication:
    case ErrorCode::kHostKey:
    case ErrorCode::kUnsupported:
    case ErrorCode::kBusy: return ExitCode::kMountFailure;
  }
  return ExitCode::kInternal;
}

}  // namespace sftpfs::app
