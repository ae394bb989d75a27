// See error.h.
#include "base/error.h"

#include <fmt/core.h>

#include <system_error>

#include "base/printable.h"

namespace sftpfs {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSystem: return "System";
    case ErrorCode::kSftpStatus: return "SftpStatus";
    case ErrorCode::kConnectionLost: return "ConnectionLost";
    case ErrorCode::kTimedOut: return "TimedOut";
    case ErrorCode::kCancelled: return "Cancelled";
    case ErrorCode::kProtocol: return "Protocol";
    case ErrorCode::kAuthentication: return "Authentication";
    case ErrorCode::kHostKey: return "HostKey";
    case ErrorCode::kUnsupported: return "Unsupported";
    case ErrorCode::kInvalid: return "Invalid";
    case ErrorCode::kBusy: return "Busy";
    case ErrorCode::kShutdown: return "Shutdown";
  }
  return "?";
}

Error Error::system(int os_errno, std::string what) {
  Error error(ErrorCode::kSystem, std::move(what));
  error.os_errno_ = os_errno;
  return error;
}

Error Error::sftp(std::uint32_t sftp_status, std::string server_text) {
  Error error(ErrorCode::kSftpStatus, std::move(server_text));
  error.sftp_status_ = sftp_status;
  return error;
}

std::string Error::describe() const {
  const std::string message = printable(message_);
  switch (code_) {
    case ErrorCode::kSystem: {
      const std::string cause = std::generic_category().message(os_errno_);
      return message.empty() ? cause : fmt::format("{}: {}", message, cause);
    }
    case ErrorCode::kSftpStatus:
      return fmt::format("server status {}{}{}", sftp_status_, message.empty() ? "" : ": ",
                         message);
    default: return message.empty() ? error_code_name(code_) : message;
  }
}

}  // namespace sftpfs
