// Errors as values: what went wrong, in the words of the layer that saw it.
//
// An Error travels upwards inside a Result<T>; only fs/errno_map turns it into an errno for an
// application, and it is logged once, where it is handled.
// Threads: a plain value.
// Limits:  none; `message` is for people and stays empty on hot paths (a file not found).
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sftpfs {

enum class ErrorCode : std::uint8_t {
  kSystem,          // a system call failed; os_errno() tells
  kSftpStatus,      // the server answered with SSH_FXP_STATUS; sftp_status() tells
  kConnectionLost,  // the session died; the outcome of the request is unknown
  kTimedOut,        // a deadline passed (soft mounts, connecting)
  kCancelled,       // the caller was interrupted by a signal
  kProtocol,        // the peer broke the protocol
  kAuthentication,  // no method of authentication succeeded
  kHostKey,         // the host key is unknown, changed or revoked
  kUnsupported,     // the server (or the protocol) cannot do this
  kInvalid,         // the user's options or arguments are wrong
  kBusy,            // a bounded resource is used up
  kShutdown,        // the file system is going away
};

// The name of `code` without its k, for logs.
const char* error_code_name(ErrorCode code);

class [[nodiscard]] Error {
 public:
  explicit Error(ErrorCode code, std::string message = {})
      : code_(code), message_(std::move(message)) {}

  // A failed system call; `what` names the call or the object.
  static Error system(int os_errno, std::string what = {});
  // The server's status reply (SSH_FX_*, draft-ietf-secsh-filexfer-02 section 7) and its text.
  static Error sftp(std::uint32_t sftp_status, std::string server_text = {});

  ErrorCode code() const { return code_; }
  int os_errno() const { return os_errno_; }
  std::uint32_t sftp_status() const { return sftp_status_; }
  const std::string& message() const { return message_; }

  bool is(ErrorCode code) const { return code_ == code; }
  bool is_sftp(std::uint32_t status) const {
    return code_ == ErrorCode::kSftpStatus && sftp_status_ == status;
  }

  // One line for a log or a terminal; what a server wrote is made printable().
  std::string describe() const;

 private:
  ErrorCode code_;
  int os_errno_ = 0;
  std::uint32_t sftp_status_ = 0;
  std::string message_;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(ErrorCode code, std::string message = {}) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}

}  // namespace sftpfs
