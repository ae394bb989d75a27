// See process_stream.h.
#include "ssh/process_stream.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "ssh/ssh_complaint.h"

namespace sftpfs::ssh {

Result<std::unique_ptr<ProcessStream>> ProcessStream::spawn(const std::vector<std::string>& argv,
                                                            const std::string& peer,
                                                            const std::string& kind,
                                                            LineWatch line_watch,
                                                            const Child::Setup& setup) {
  if (argv.empty()) return fail(ErrorCode::kInvalid, "no command to start");
  Result<Child::Started> started = Child::start(argv, setup);
  if (!started) return fail(started.error());
  return std::unique_ptr<ProcessStream>(
      new ProcessStream(std::move(*started), peer, kind, std::move(line_watch)));
}

ProcessStream::ProcessStream(Child::Started started, const std::string& peer,
                             const std::string& kind, LineWatch line_watch)
    : SocketStream(std::move(started.socket), fmt::format("{} ({})", peer, kind)),
      child_(std::move(started.child)),
      peer_(peer),
      kind_(kind),
      errors_(std::move(started.errors), peer_, std::move(line_watch)) {}

Status ProcessStream::attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) {
  errors_.attach(loop);
  return SocketStream::attach(loop, events);
}

// The child's last words are the reason; its status only where it said nothing.
Error ProcessStream::ending(int socket_errno) {
  errors_.drain();
  const std::optional<std::string> status = child_.ending();
  std::string silent = status ? fmt::format("{} ended with {}", kind_, *status)
                              : fmt::format("{} ended the connection", kind_);
  if (socket_errno != 0 && socket_errno != EPIPE && socket_errno != ECONNRESET) {
    silent += fmt::format(" ({})", std::strerror(socket_errno));
  }
  const LoginStage stage = has_received() ? LoginStage::kServed : LoginStage::kLoggingIn;
  return ssh_complaint(peer_, errors_.tail(), silent, stage);
}

}  // namespace sftpfs::ssh
